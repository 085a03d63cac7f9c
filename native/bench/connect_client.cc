#include "native/bench/connect_client.hh"

#include <algorithm>

#include "native/stack/stack_thread.hh"

namespace qstack::bench {

namespace {
constexpr uint32_t kFirstPort = 1'025, kPorts = 65'536 - kFirstPort;
}  // namespace

ConnectClient::ConnectClient(const ConnectClientConfig& config, PacketPool& tx)
    : Asker(tx, Window(config.warm_up, config.window)), config_(config), began_(config.slots) {}

bool ConnectClient::opened(const Opened& event) {
  waiting_.push_back(event.handle);
  open_answered_ = true;
  return true;
}

/// Before the first reply the server may not be there yet; after it an open that fails is lost.
bool ConnectClient::closed(Handle handle, CloseReason) {
  if (began_[handle.slot] == 0) return true;
  began_[handle.slot] = 0;
  --under_way_;
  lost_ += answered_ > 0;
  return true;
}

/// The SYN of the last step has left in the turn before this one, and an answer was polled at its begin: what the client itself does
/// before and behind that, as cold as its server, does not count.
void ConnectClient::time_open(Nanos now) {
  if (open_answered_ && syn_left_ != 0) open_latencies_.record(now - std::min(now, syn_left_));
  if (open_answered_) syn_left_ = 0;
  open_answered_ = false;
  if (syn_leaves_) syn_left_ = monotonic_now();
  syn_leaves_ = false;
}

uint32_t ConnectClient::step(Nanos now) {
  if (config_.rest > 0) time_open(now);
  const uint32_t work = take_answers(now) + ask(now);
  return work + open_some(now);
}

uint32_t ConnectClient::take_answers(Nanos now) {
  const auto work = static_cast<uint32_t>(answers_.size());
  answered_ += work;
  const bool counts = answered_ > 0 && window_.note(now, answered_);
  for (const Answer& answer : answers_) {
    Nanos& began = began_[answer.handle.slot];
    if (counts) latencies_.record(now - began);
    began = 0;
    --under_way_;
    stack_->release(answer.handle, answer.packet, answer.length, now);
    stack_->close(answer.handle, now);
    if (config_.rest > 0) next_open_ = now + config_.rest;
  }
  answers_.clear();
  return work;
}

Endpoint ConnectClient::next_local() {
  const uint64_t pair = opens_++;
  const auto port = static_cast<uint16_t>(kFirstPort + pair / config_.addresses % kPorts);
  return {IpAddress(config_.local.address.ipv4() + static_cast<uint32_t>(pair % config_.addresses)), port};
}

uint32_t ConnectClient::open_some(Nanos now) {
  if (now < next_open_) return 0;
  // The first one alone, until the link stands.
  const uint32_t most = answered_ == 0 ? 1 : config_.under_way;
  uint32_t done = 0;
  for (; under_way_ < most; ++under_way_, ++done) {
    const Handle handle = stack_->connect(next_local(), config_.remote, framing(), 0, now);
    if (handle.slot == kNoIndex) break;
    began_[handle.slot] = now;
    syn_leaves_ = answered_ > 0;
  }
  if (answered_ == 0) next_open_ = now + kOpenRetry;
  return done;
}

}  // namespace qstack::bench
