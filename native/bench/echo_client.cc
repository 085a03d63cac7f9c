#include "native/bench/echo_client.hh"

namespace qstack::bench {

namespace {
/// Opens under way, so that none is lost in a queue.
constexpr uint32_t kOpening = 512;
}  // namespace

EchoClient::EchoClient(const EchoClientConfig& config, PacketPool& tx)
    : Asker(tx, Window(config.warm_up, config.window)), config_(config), asked_(config.slots) {}

bool EchoClient::opened(const Opened& event) {
  ++open_;
  waiting_.push_back(event.handle);
  return true;
}

/// One that was never opened is opened anew: the server may not be there yet. One that stood is lost.
bool EchoClient::closed(Handle handle, CloseReason) {
  if (asked_[handle.slot] == 0) {
    --begun_;
    return true;
  }
  ++lost_;
  return true;
}

uint32_t EchoClient::step(Nanos now) {
  uint32_t work = open_some(now);
  const bool counts = open_ == config_.connections && window_.note(now, answered_);
  work += take_answers(now, counts);
  return work + ask(now);
}

uint32_t EchoClient::open_some(Nanos now) {
  if (begun_ == config_.connections || now < next_open_) return 0;
  uint32_t done = 0;
  // The first one alone, until the link stands.
  const uint32_t most = open_ == 0 ? 1 : kOpening;
  for (; begun_ < config_.connections && begun_ - open_ < most; ++begun_, ++done) {
    Endpoint local = config_.local;
    local.address = IpAddress(local.address.ipv4() + begun_ % config_.addresses);
    if (stack_->connect(local, config_.remote, framing(), 0, now).slot == kNoIndex) break;
  }
  if (open_ == 0) next_open_ = now + kOpenRetry;
  return done;
}

uint32_t EchoClient::take_answers(Nanos now, bool counts) {
  for (const Answer& answer : answers_) {
    if (counts) latencies_.record(now - asked_[answer.handle.slot]);
    ++answered_;
    stack_->release(answer.handle, answer.packet, answer.length, now);
    waiting_.push_back(answer.handle);
  }
  const auto work = static_cast<uint32_t>(answers_.size());
  answers_.clear();
  return work;
}

}  // namespace qstack::bench
