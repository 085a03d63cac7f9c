#include "native/steer/steering_port.hh"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "native/wire/vlan.hh"

namespace qstack {

namespace {

/// The state of a link is asked of a device, and changes seldom.
constexpr Nanos kLinkInterval = 1'000'000;
/// Frames whose bytes are asked for ahead.
constexpr uint32_t kFramesAhead = 4;

}  // namespace

SteeringPort::SteeringPort(Port& inside, PacketPool& rx, PacketPool& tx, const FlowSteering& steering,
                           const std::vector<SteerLink*>& links)
    : inside_(inside), rx_(rx), tx_(tx), steering_(steering) {
  assert(steering.groups.stacks() <= links.size() + 1);
  for (SteerLink* const link : links) lanes_.emplace_back(*link, rx, tx);
  tell_link(0);
}

SteeringPort::~SteeringPort() {
  for (uint32_t i = 0; i < own_.size(); ++i) rx_.release(own_.begin()[i]);
  for (Lane& lane : lanes_) {
    for (uint32_t i = 0; i < lane.kept.size(); ++i) tx_.release(lane.kept.begin()[i]);
  }
}

/// Half of what is polled is for other stacks, or more: asked again until this stack has its burst, or the device is empty.
uint32_t SteeringPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  if (now >= next_look_) tell_link(now);
  for (Lane& lane : lanes_) forward(lane, now);
  uint32_t count = take_own(out, n);
  std::array<Packet*, kBurst> burst;
  for (size_t polls = 0; count < n && polls <= lanes_.size(); ++polls) {
    const uint32_t got = inside_.rx_burst(burst.data(), kBurst, now);
    steer(burst.data(), got);
    count += take_own(out + count, n - count);
    if (got < kBurst) break;
  }
  return count;
}

void SteeringPort::tell_link(Nanos now) {
  next_look_ = now + kLinkInterval;
  const bool up = inside_.link_up();
  for (Lane& lane : lanes_) lane.link.up.store(up, std::memory_order_relaxed);
}

/// `own_` is empty here: whoever polls has taken it first.
void SteeringPort::steer(Packet* const* packets, uint32_t n) {
  for (uint32_t i = 0; i < std::min(n, kFramesAhead); ++i) __builtin_prefetch(packets[i]->data);
  for (uint32_t i = 0; i < n; ++i) {
    if (i + kFramesAhead < n) __builtin_prefetch(packets[i + kFramesAhead]->data);
    Packet* const packet = packets[i];
    const bool fits = packet->length <= kRoom;  // what some devices give is longer than any frame that is for us
    const FrameTarget target = fits ? frame_target(packet->data, packet->length, steering_.hash) : FrameTarget{};
    if (target.reader == FrameReader::all) copy_to_all(*packet);
    const uint32_t stack = stack_of(target);
    (stack == 0 ? own_ : lanes_[stack - 1].picked).push(packet);
  }
  for (Lane& lane : lanes_) hand_over(lane);
}

void SteeringPort::copy_to_all(const Packet& packet) {
  for (Lane& lane : lanes_) {
    Packet* const copy = rx_.allocate();
    if (copy == nullptr) {
      ++lane.counts.dropped;
      continue;
    }
    std::memcpy(copy->data, packet.data, packet.length);
    copy->length = packet.length;
    copy->rx_stamp = packet.rx_stamp;
    lane.picked.push(copy);
  }
}

void SteeringPort::hand_over(Lane& lane) {
  const uint32_t count = lane.picked.size();
  if (count == 0) return;
  const uint32_t taken = lane.received.send(lane.picked.begin(), count);
  for (uint32_t i = taken; i < count; ++i) rx_.release(lane.picked.begin()[i]);
  lane.picked.pop(count);
  lane.counts.steered += taken;
  lane.counts.dropped += count - taken;
  moved_ += taken;
}

bool SteeringPort::take(Packet* packet) {
  const uint32_t stack = stack_of(frame_target(packet->data, packet->length, steering_.hash));
  if (stack == 0) return false;
  Lane& lane = lanes_[stack - 1];
  if (packet->tag != 0) {
    packet->data -= kVlanTag;
    packet->length = static_cast<uint16_t>(packet->length + kVlanTag);
    insert_tag(packet->data, static_cast<uint16_t>(packet->tag));
  }
  if (packet->length > kRoom) {
    ++lane.counts.dropped;
    rx_.release(packet);
    return true;
  }
  lane.picked.push(packet);
  hand_over(lane);
  return true;
}

/// A burst of another stack on its way to the device, and its packets on their way home.
void SteeringPort::forward(Lane& lane, Nanos now) {
  lane.received.reclaim();
  Batch& kept = lane.kept;
  if (kept.size() == 0) kept.end = lane.sent.receive(kept.packets.data(), kBurst);
  if (kept.size() == 0) return;
  const uint32_t taken = inside_.tx_burst(kept.begin(), kept.size(), now);
  kept.pop(taken);
  lane.counts.forwarded += taken;
  moved_ += taken;
}

uint32_t SteeringPort::take_own(Packet** out, uint32_t n) {
  const uint32_t count = std::min(n, own_.size());
  std::copy_n(own_.begin(), count, out);
  own_.pop(count);
  return count;
}

uint32_t SteeringPort::take_moved() { return std::exchange(moved_, 0); }

}  // namespace qstack
