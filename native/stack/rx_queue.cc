#include "native/stack/rx_queue.hh"

#include <algorithm>

#include "native/wire/tcp.hh"

namespace qstack {

namespace {

/// SYNs take the place behind level 0.
PolicyConfig with_syn(PolicyConfig config) {
  std::copy_backward(config.weights.begin(), config.weights.end() - 1, config.weights.end());
  std::copy_backward(config.budgets.begin(), config.budgets.end() - 1, config.budgets.end());
  return config;
}

}  // namespace

RxQueue::RxQueue(uint32_t levels, const PolicyConfig& policy, uint32_t syns_max)
    : policy_(with_syn(policy), std::clamp<uint32_t>(levels, 1, kLevelsMax) + 1, kQuantum, kBurst, kBurst),
      count_(std::clamp<uint32_t>(levels, 1, kLevelsMax) + 2),
      syns_max_(syns_max) {}

void RxQueue::schedule(const PolicyConfig& policy) {
  policy_ = SchedulingPolicy(with_syn(policy), count_ - 1, kQuantum, kBurst, kBurst);
}

uint32_t RxQueue::lane_of(const Packet& packet) const {
  if (packet.payload_length != 0) return packet.level == 0 ? kTop : std::min(packet.level + kSyn, lowest());
  const uint32_t at = packet.l4 + kTcpFlagsAt;
  const uint8_t flags = at < packet.length ? packet.data[at] : 0;
  if (flags & qstack::kSyn) return kSyn;
  return (flags & (kFin | kRst)) ? lowest() : kControl;
}

bool RxQueue::push(Packet* packet) {
  const uint32_t lane = lane_of(*packet);
  if (lane == kSyn) [[unlikely]] {
    if (syns_ == syns_max_) return false;
    ++syns_;
  }
  lanes_[lane].push_back(packet);
  if (lane != kControl) work_ |= 1u << (lane - kTop);
  ++size_;
  if (lane <= kTop) ++urgent_;
  return true;
}

uint32_t RxQueue::take(Packet** out, uint32_t n, Stamp now) {
  uint32_t taken = take_from(kControl, out, n / 4);
  taken += take_by_policy(out + taken, n - taken, now);
  taken += take_from(kControl, out + taken, n - taken);
  if (work_ == kSynBit) taken += take_syns(out + taken, n - taken);
  size_ -= taken;
  mark_overtaking(out, taken);
  return taken;
}

uint32_t RxQueue::take_by_policy(Packet** out, uint32_t n, Stamp now) {
  const auto since = [this](uint32_t level) { return lanes_[level + kTop].front()->rx_stamp; };
  uint32_t mask = n == 0 ? 0 : syns_left_ == 0 ? work_ & ~kSynBit : work_;
  if (mask != 0) policy_.begin(mask, now, since);
  uint32_t taken = 0;
  while (taken < n && mask != 0) {
    const auto [level, most] = policy_.next(mask, since);
    const bool syn = level + kTop == kSyn;
    const uint32_t room = std::min(n - taken, most);
    const uint32_t got =
        syn ? take_syns(out + taken, std::min(room, syns_left_)) : take_from(level + kTop, out + taken, room);
    policy_.charge(level, got);
    if (got == 0) policy_.give_back(level);
    if (lanes_[level + kTop].empty()) work_ &= ~(1u << level);
    if (got == 0 || lanes_[level + kTop].empty() || (syn && syns_left_ == 0)) mask &= ~(1u << level);
    taken += got;
  }
  return taken;
}

uint32_t RxQueue::take_syns(Packet** out, uint32_t n) {
  const uint32_t taken = take_from(kSyn, out, n);
  syns_ -= taken;
  syns_left_ -= std::min(syns_left_, taken);
  if (syns_ == 0) work_ &= ~kSynBit;
  return taken;
}

uint32_t RxQueue::take_from(uint32_t lane, Packet** out, uint32_t n) {
  PacketQueue& packets = lanes_[lane];
  uint32_t taken = 0;
  while (taken < n && !packets.empty()) {
    if (lane == lowest() && packets.front()->payload_length == 0 && closes_early(*packets.front())) break;
    out[taken] = packets.pop_front();
    __builtin_prefetch(out[taken]->data + out[taken]->l3);
    ++taken;
  }
  if (lane <= kTop) urgent_ -= taken;
  return taken;
}

/// A FIN or RST: data that arrived earlier, maybe of its connection, still waits in another lane.
bool RxQueue::closes_early(const Packet& packet) const {
  for (uint32_t lane = kTop; lane < lowest(); ++lane) {
    if (lane == kSyn) continue;
    const Packet* const front = lanes_[lane].front();
    if (front != nullptr && static_cast<int32_t>(front->arrival - packet.arrival) < 0) return true;
  }
  return false;
}

void RxQueue::mark_overtaking(Packet** packets, uint32_t n) const {
  const Packet* oldest = nullptr;
  const auto look_at = [&oldest](const Packet* packet) {
    if (oldest == nullptr || static_cast<int32_t>(packet->arrival - oldest->arrival) < 0) oldest = packet;
  };
  for (uint32_t lane = kTop; size_ != 0 && lane < count_; ++lane) {
    if (lane != kSyn && !lanes_[lane].empty()) look_at(lanes_[lane].front());
  }
  for (uint32_t i = n; i-- > 0;) {
    if (packets[i]->payload_length == 0) continue;
    look_at(packets[i]);
    if (oldest != packets[i]) packets[i]->tx_flags |= kRxOvertakes;
  }
}

}  // namespace qstack
