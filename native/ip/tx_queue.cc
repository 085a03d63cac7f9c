#include "native/ip/tx_queue.hh"

#include <algorithm>
#include <bit>
#include <cassert>

namespace qstack {

TxQueue::TxQueue(uint32_t capacity_power_of_two) : frames_(capacity_power_of_two), mask_(capacity_power_of_two - 1) {
  assert(std::has_single_bit(capacity_power_of_two));
}

uint32_t TxQueue::flush(Port& port, Nanos now) {
  uint32_t total = 0;
  while (head_ != tail_) {
    const uint32_t at = head_ & mask_;
    const uint32_t run = std::min(size(), mask_ + 1 - at);
    const uint32_t taken = port.tx_burst(&frames_[at], run, now);
    head_ += taken;
    total += taken;
    if (taken < run) break;
  }
  return total;
}

}  // namespace qstack
