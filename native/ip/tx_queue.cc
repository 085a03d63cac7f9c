#include "native/ip/tx_queue.hh"

#include <algorithm>
#include <bit>
#include <cassert>

namespace qstack {
namespace {

uint64_t bytes_of(Packet* const* frames, uint32_t n) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < n; ++i) bytes += frames[i]->length;
  return bytes;
}

}  // namespace

TxQueue::TxQueue(uint32_t capacity_power_of_two, uint32_t levels, Sojourn* sojourn, const PolicyConfig& policy)
    : levels_(std::clamp<uint32_t>(levels, 1, kLevelsMax)),
      mask_(capacity_power_of_two - 1),
      sojourn_(sojourn),
      policy_(policy, levels_, kQuantum, kLook, kRound) {
  assert(std::has_single_bit(capacity_power_of_two));
  for (uint32_t level = 0; level < levels_; ++level) {
    lanes_[level].frames.resize(capacity_power_of_two);
    lanes_[level].since.resize(capacity_power_of_two);
  }
}

/// Bit L: level L has frames.
uint32_t TxQueue::waiting() const {
  uint32_t mask = 0;
  for (uint32_t level = 0; level < levels_; ++level) mask |= uint32_t{lanes_[level].head != lanes_[level].tail} << level;
  return mask;
}

uint32_t TxQueue::flush(Port& port, Nanos now) {
  const auto since = [this](uint32_t level) { return lanes_[level].since[lanes_[level].head & mask_]; };
  uint32_t mask = waiting();
  policy_.begin(mask, to_stamp(now), since);
  uint32_t total = 0;
  while (mask != 0) {
    const auto [level, most] = policy_.next(mask, since);
    const uint32_t sent = flush_lane(level, port, now, most);
    if (sent == 0) policy_.give_back(level);
    total += sent;
    if (lanes_[level].head == lanes_[level].tail) {
      mask &= ~(1u << level);
    } else if (sent < most) {
      break;  // the port takes no more
    }
  }
  return total;
}

/// What the port has taken is not ours to touch any more.
uint32_t TxQueue::hand_over(Packet** frames, uint32_t n, Port& port, Nanos now) {
  for (uint32_t i = 0; i < n; ++i) frames[i]->tx_flags &= static_cast<uint8_t>(~kTxQueued);
  const uint32_t taken = sojourn_ == nullptr ? port.tx_burst(frames, n, now) : measured(frames, n, port, now);
  for (uint32_t i = taken; i < n; ++i) frames[i]->tx_flags |= kTxQueued;
  return taken;
}

/// Of replies that leave for the first time.
uint32_t TxQueue::measured(Packet** frames, uint32_t n, Port& port, Nanos now) {
  struct Waited {
    Stamp message, sent;
    uint8_t level;
    bool counts;
  };
  std::array<Waited, kBurst> waited;
  for (uint32_t i = 0; i < n; ++i) {
    const Packet& frame = *frames[i];
    waited[i] = {frame.rx_stamp, frame.tcp_stamp, frame.level, frame.rx_stamp != 0 && frame.tx_count == 1};
  }
  const uint32_t taken = port.tx_burst(frames, n, now);
  const Stamp stamp = to_stamp(now);
  for (uint32_t i = 0; i < taken; ++i) {
    if (!waited[i].counts) continue;
    sojourn_->record(Stage::tx, waited[i].level, waited[i].sent, stamp);
    sojourn_->record(Stage::wire, waited[i].level, waited[i].message, stamp);
  }
  return taken;
}

uint32_t TxQueue::flush_lane(uint32_t level, Port& port, Nanos now, uint32_t most) {
  Lane& lane = lanes_[level];
  uint32_t total = 0;
  while (lane.head != lane.tail && total < most) {
    const uint32_t at = lane.head & mask_;
    const uint32_t run = std::min({lane.tail - lane.head, mask_ + 1 - at, most - total, kBurst});
    const uint64_t bytes = policy_.measures() ? bytes_of(&lane.frames[at], run) : 0;
    const uint32_t taken = hand_over(&lane.frames[at], run, port, now);
    if (bytes != 0) policy_.charge(level, static_cast<double>(bytes - bytes_of(lane.frames.data() + at + taken, run - taken)));
    lane.head += taken;
    total += taken;
    if (taken < run) break;
  }
  size_ -= total;
  return total;
}

}  // namespace qstack
