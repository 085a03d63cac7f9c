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
  uint32_t closing = 0;  // bit of the lowest lane while a FIN or RST at its head waits for other lanes
  while (mask != 0) {
    const auto [level, burst] = policy_.next(mask, since);
    const uint32_t most = before_close(level, burst);
    const uint32_t sent = flush_lane(level, port, now, most);
    if (sent == 0) policy_.give_back(level);
    total += sent;
    if (most < burst && sent == most) {
      closing = 1u << level;
      mask &= ~closing;
      continue;
    }
    mask |= closing;
    closing = 0;
    if (lanes_[level].head == lanes_[level].tail) {
      mask &= ~(1u << level);
    } else if (sent < most) {
      break;  // the port takes no more
    }
  }
  return total;
}

/// How many frames of the lane may go, at most `most`: those before a FIN or RST for which another lane has a frame that
/// came no later. Lanes age as they wait, so it waits no longer than what was there when it came.
uint32_t TxQueue::before_close(uint32_t level, uint32_t most) const {
  const Lane& lane = lanes_[level];
  const uint32_t count = lane.tail - lane.head;
  if (level != lowest() || count == size_) return most;
  Stamp longest = 0;
  for (uint32_t other = 0; other < level; ++other) {
    const Lane& ahead = lanes_[other];
    if (ahead.head != ahead.tail) longest = std::max(longest, now_ - ahead.since[ahead.head & mask_]);
  }
  for (uint32_t i = 0; i < std::min(count, most); ++i) {
    const uint32_t at = (lane.head + i) & mask_;
    if ((lane.frames[at]->tx_flags & kTxCloses) && now_ - lane.since[at] <= longest) return i;
  }
  return most;
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
