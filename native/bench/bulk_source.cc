#include "native/bench/bulk_source.hh"

#include <algorithm>
#include <cstring>

#include "native/mempool/packet_pool.hh"

namespace qstack::bench {

namespace {
/// Work per step is bounded, so that ACKs are read in between.
constexpr uint32_t kBytesPerStep = 128 * 1024;
constexpr Nanos kRetry = 50'000'000;
/// Packets that stay with the stack.
constexpr uint32_t kReserve = 512;
}  // namespace

BulkSource::BulkSource(const BulkSourceConfig& config, PacketPool& tx)
    : config_(config), tx_(tx), data_(config.write_size, 'q') {}

bool BulkSource::opened(const Opened& event) {
  handle_ = event.handle;
  state_ = State::open;
  return true;
}

bool BulkSource::ended(Handle) {
  peer_ended_ = true;
  return true;
}

/// A connection that was never opened is tried again: the sink may not be there yet.
bool BulkSource::closed(Handle, CloseReason) {
  state_ = state_ == State::opening ? State::idle : State::done;
  return true;
}

uint32_t BulkSource::try_to_open(Nanos now) {
  if (next_try_ == 0) next_try_ = now + config_.delay;
  if (now < next_try_) return 0;
  next_try_ = now + kRetry;
  const Handle handle = stack_->connect(config_.local, config_.remote, {}, 0, now);
  if (handle.slot != kNoIndex) state_ = State::opening;
  return 1;
}

uint32_t BulkSource::step(Nanos now) {
  if (state_ == State::idle) return try_to_open(now);
  if (state_ != State::open) return 0;
  if (end_ == 0) {
    end_ = now + config_.duration;
    segment_ = stack_->engine().inspect(handle_)->mss;
  }
  if (now >= end_ || peer_ended_) {
    flush(now);
    stack_->close(handle_, now);
    state_ = State::closing;
    return 1;
  }
  const uint64_t before = bytes_;
  while (bytes_ - before < kBytesPerStep && write_once(now)) continue;
  if (packet_ != nullptr && stack_->unsent(handle_) == 0) flush(now);
  return static_cast<uint32_t>(bytes_ - before);
}

/// False: the buffer is full, the write goes on later.
bool BulkSource::write_once(Nanos now) {
  while (written_ < config_.write_size) {
    const uint32_t taken = fill(data_.data() + written_, config_.write_size - written_, now);
    if (taken == 0) return false;
    written_ += taken;
  }
  written_ = 0;
  return true;
}

uint32_t BulkSource::fill(const uint8_t* bytes, uint32_t length, Nanos now) {
  if (!have_packet()) return 0;
  const uint32_t copied = std::min(length, segment_ - packet_->payload_length);
  std::memcpy(packet_->data + packet_->payload_length, bytes, copied);
  packet_->payload_length = static_cast<uint16_t>(packet_->payload_length + copied);
  bytes_ += copied;
  if (packet_->payload_length == segment_) flush(now);
  return copied;
}

bool BulkSource::have_packet() {
  if (packet_ != nullptr) return true;
  if (stack_->unsent(handle_) >= config_.send_buffer || !stack_->send_ready(0) || tx_.available() < kReserve) return false;
  packet_ = tx_.allocate();
  if (packet_ == nullptr) return false;
  packet_->data = PacketRegion::payload_start(packet_);
  packet_->payload = 0;
  packet_->payload_length = 0;
  packet_->level = 0;
  return true;
}

void BulkSource::flush(Nanos now) {
  if (packet_ == nullptr) return;
  stack_->send(handle_, packet_, now, false);
  packet_ = nullptr;
}

}  // namespace qstack::bench
