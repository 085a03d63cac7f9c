#include "native/stack/rx_queue.hh"

#include <algorithm>

#include "native/wire/tcp.hh"

namespace qstack {

RxQueue::RxQueue(uint32_t levels) : count_(std::clamp<uint32_t>(levels, 1, kLevelsMax) + 2) {}

uint32_t RxQueue::lane_of(const Packet& packet) const {
  if (packet.payload_length != 0) return packet.level == 0 ? kTop : std::min(packet.level + kSyn, lowest());
  const uint32_t at = packet.l4 + kTcpFlagsAt;
  const uint8_t flags = at < packet.length ? packet.data[at] : 0;
  if (flags & qstack::kSyn) return kSyn;
  return (flags & (kFin | kRst)) ? lowest() : kControl;
}

void RxQueue::push(Packet* packet) {
  lanes_[lane_of(*packet)].packets.push_back(packet);
  ++size_;
}

uint32_t RxQueue::take(Packet** out, uint32_t n) {
  uint32_t taken = take_starved(out, n);
  taken += take_from(lanes_[kControl], out + taken, std::min(n - taken, n / 4));
  for (uint32_t lane = kTop; lane < count_; ++lane) taken += take_from(lanes_[lane], out + taken, n - taken);
  taken += take_from(lanes_[kControl], out + taken, n - taken);
  size_ -= taken;
  mark_overtaking(out, taken);
  return taken;
}

uint32_t RxQueue::take_starved(Packet** out, uint32_t n) {
  uint32_t taken = 0;
  for (uint32_t lane = kSyn; lane < count_; ++lane) {
    if (lanes_[lane].packets.empty() || ++lanes_[lane].passed <= kPasses) continue;
    taken += take_from(lanes_[lane], out + taken, std::min(n - taken, kQuantum));
  }
  return taken;
}

uint32_t RxQueue::take_from(Lane& lane, Packet** out, uint32_t n) {
  uint32_t taken = 0;
  while (taken < n && !lane.packets.empty()) {
    out[taken] = lane.packets.pop_front();
    __builtin_prefetch(out[taken]->data + out[taken]->l3);
    ++taken;
  }
  if (taken != 0) lane.passed = 0;
  return taken;
}

void RxQueue::mark_overtaking(Packet** packets, uint32_t n) const {
  const Packet* oldest = nullptr;
  const auto look_at = [&oldest](const Packet* packet) {
    if (oldest == nullptr || static_cast<int32_t>(packet->arrival - oldest->arrival) < 0) oldest = packet;
  };
  for (uint32_t lane = 0; size_ != 0 && lane < count_; ++lane) {
    if (!lanes_[lane].packets.empty()) look_at(lanes_[lane].packets.front());
  }
  for (uint32_t i = n; i-- > 0;) {
    look_at(packets[i]);
    if (oldest != packets[i]) packets[i]->tx_flags |= kRxOvertakes;
  }
}

}  // namespace qstack
