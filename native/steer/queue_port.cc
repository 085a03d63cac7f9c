#include "native/steer/queue_port.hh"

#include <array>

namespace qstack {

/// What others have polled came before what is polled now. The queue is asked until this stack has its burst, or it is empty.
uint32_t QueuePort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  steerer_.reclaim();
  uint32_t count = steerer_.take_own(out, n);
  for (FrameReceiver& other : others_) count += other.receive(out + count, n - count);
  std::array<Packet*, FrameBatch::kBurst> burst;
  for (size_t polls = 0; count < n && polls <= others_.size(); ++polls) {
    const uint32_t got = queue_.rx_burst(burst.data(), FrameBatch::kBurst, now);
    steerer_.steer(burst.data(), got);
    count += steerer_.take_own(out + count, n - count);
    if (got < FrameBatch::kBurst) break;
  }
  for (uint32_t i = 0; i < count; ++i) out[i]->arrival = arrival_++;
  return count;
}

}  // namespace qstack
