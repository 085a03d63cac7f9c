#include "native/steer/steering_port.hh"

#include <array>

namespace qstack {

namespace {

/// The state of a link is asked of a device, and changes seldom.
constexpr Nanos kLinkInterval = 1'000'000;

std::vector<FrameWay*> ways_of(const std::vector<SteerLink*>& links) {
  std::vector<FrameWay*> ways{nullptr};
  for (SteerLink* const link : links) ways.push_back(&link->received);
  return ways;
}

}  // namespace

SteeringPort::SteeringPort(Port& inside, PacketPool& rx, PacketPool& tx, const FlowSteering& steering,
                           const std::vector<SteerLink*>& links)
    : inside_(inside), tx_(tx), steerer_(0, rx, steering, ways_of(links)) {
  for (SteerLink* const link : links) lanes_.emplace_back(*link, tx);
  tell_link(0);
}

SteeringPort::~SteeringPort() {
  for (Lane& lane : lanes_) {
    for (uint32_t i = 0; i < lane.kept.size(); ++i) tx_.release(lane.kept.begin()[i]);
  }
}

/// Half of what is polled is for other stacks, or more: asked again until this stack has its burst, or the device is empty.
uint32_t SteeringPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  if (now >= next_look_) tell_link(now);
  steerer_.reclaim();
  for (Lane& lane : lanes_) forward(lane, now);
  uint32_t count = steerer_.take_own(out, n);
  std::array<Packet*, FrameBatch::kBurst> burst;
  for (size_t polls = 0; count < n && polls <= lanes_.size(); ++polls) {
    const uint32_t got = inside_.rx_burst(burst.data(), FrameBatch::kBurst, now);
    steerer_.steer(burst.data(), got);
    count += steerer_.take_own(out + count, n - count);
    if (got < FrameBatch::kBurst) break;
  }
  return count;
}

void SteeringPort::tell_link(Nanos now) {
  next_look_ = now + kLinkInterval;
  const bool up = inside_.link_up();
  for (Lane& lane : lanes_) lane.link.up.store(up, std::memory_order_relaxed);
}

/// A burst of another stack on its way to the device, and its packets on their way home.
void SteeringPort::forward(Lane& lane, Nanos now) {
  FrameBatch& kept = lane.kept;
  if (kept.size() == 0) kept.end = lane.sent.receive(kept.packets.data(), FrameBatch::kBurst);
  if (kept.size() == 0) return;
  const uint32_t taken = inside_.tx_burst(kept.begin(), kept.size(), now);
  kept.pop(taken);
  lane.forwarded += taken;
  steerer_.note_moved(taken);
}

SteerCounts SteeringPort::counts(uint32_t stack) const {
  SteerCounts counts = steerer_.counts(stack);
  counts.forwarded = lanes_[stack - 1].forwarded;
  return counts;
}

}  // namespace qstack
