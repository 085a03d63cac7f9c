#include "native/steer/steerer.hh"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "native/wire/vlan.hh"

namespace qstack {

namespace {

/// Frames whose bytes are asked for ahead.
constexpr uint32_t kFramesAhead = 4;

}  // namespace

Steerer::Steerer(uint32_t own, PacketPool& rx, const FlowSteering& steering, const std::vector<FrameWay*>& ways)
    : own_stack_(own), rx_(rx), steering_(steering) {
  assert(steering.groups.stacks() <= ways.size() && ways[own] == nullptr);
  for (FrameWay* const way : ways) {
    if (way != nullptr) lanes_.emplace_back(*way, rx);
  }
}

Steerer::~Steerer() {
  for (uint32_t i = 0; i < own_.size(); ++i) rx_.release(own_.begin()[i]);
}

void Steerer::steer(Packet* const* packets, uint32_t n) {
  assert(own_.size() == 0);
  for (uint32_t i = 0; i < std::min(n, kFramesAhead); ++i) __builtin_prefetch(packets[i]->data);
  for (uint32_t i = 0; i < n; ++i) {
    if (i + kFramesAhead < n) __builtin_prefetch(packets[i + kFramesAhead]->data);
    pick(packets[i]);
  }
  for (Lane& lane : lanes_) hand_over(lane);
}

void Steerer::pick(Packet* packet) {
  const bool fits = packet->length <= kRoom;  // what some devices give is longer than any frame that is for us
  const FrameTarget target = fits ? frame_target(packet->data, packet->length, steering_.hash) : FrameTarget{};
  if (target.reader == FrameReader::all) {
    copy_to_all(*packet);
    return own_.push(packet);
  }
  const uint32_t stack = fits ? stack_of(target) : own_stack_;
  (stack == own_stack_ ? own_ : lanes_[lane_of(stack)].picked).push(packet);
}

void Steerer::copy_to_all(const Packet& packet) {
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

void Steerer::hand_over(Lane& lane) {
  const uint32_t count = lane.picked.size();
  if (count == 0) return;
  const uint32_t taken = lane.sender.send(lane.picked.begin(), count);
  for (uint32_t i = taken; i < count; ++i) rx_.release(lane.picked.begin()[i]);
  lane.picked.pop(count);
  lane.counts.steered += taken;
  lane.counts.dropped += count - taken;
  moved_ += taken;
}

bool Steerer::take(Packet* packet) {
  const uint32_t stack = stack_of(frame_target(packet->data, packet->length, steering_.hash));
  if (stack == own_stack_) return false;
  Lane& lane = lanes_[lane_of(stack)];
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

uint32_t Steerer::take_own(Packet** out, uint32_t n) {
  const uint32_t count = std::min(n, own_.size());
  std::copy_n(own_.begin(), count, out);
  own_.pop(count);
  return count;
}

void Steerer::reclaim() {
  for (Lane& lane : lanes_) lane.sender.reclaim();
}

uint32_t Steerer::take_moved() { return std::exchange(moved_, 0); }

}  // namespace qstack
