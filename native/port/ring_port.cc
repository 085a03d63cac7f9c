#include "native/port/ring_port.hh"

#include <algorithm>
#include <cstring>

namespace qstack {

RingWire::RingWire(uint32_t capacity_power_of_two) {
  for (Direction& direction : directions_) {
    direction.frames.records.resize(capacity_power_of_two);
    direction.returns.records.resize(capacity_power_of_two);
  }
}

RingPort::RingPort(RingWire& wire, uint32_t end, PacketPool& rx, PacketPool& tx, const MacAddress& mac, uint16_t mtu)
    : rx_(rx), tx_(tx), mac_(mac), mtu_(mtu) {
  RingWire::Direction& out = wire.directions_[end];
  RingWire::Direction& in = wire.directions_[1 - end];
  sent_ = out.frames.view();
  capacity_ = sent_.capacity;
  send_ = RingProducer<Packet*>(out.frames.view());
  returned_ = RingConsumer<Packet*>(out.returns.view());
  receive_ = RingConsumer<Packet*>(in.frames.view());
  give_back_ = RingProducer<Packet*>(in.returns.view());
}

/// What came back, and what the other end, stopped by now, has not taken.
RingPort::~RingPort() {
  reclaim();
  RingConsumer<Packet*> rest(sent_);
  rest.refresh();
  for (Packet* packet = nullptr; rest.take(packet);) tx_.release(packet);
  rest.publish();
}

uint32_t RingPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  reclaim();
  const uint32_t count = std::min({n, receive_.refresh(), rx_.available()});
  if (count == 0 || rx_.allocate(out, count) == 0) return 0;
  Packet* frame = nullptr;
  for (uint32_t i = 0; i < count && receive_.take(frame); ++i) {
    std::memcpy(out[i]->data, frame->data, frame->length);
    out[i]->length = frame->length;
    out[i]->arrival = arrival_++;
    out[i]->rx_stamp = to_stamp(now);
    give_back_.push(frame);
  }
  give_back_.publish();
  receive_.publish();
  return count;
}

uint32_t RingPort::tx_burst(Packet** packets, uint32_t n, Nanos) {
  reclaim();
  uint32_t count = 0;
  while (count < n && outstanding_ < capacity_ && send_.push(packets[count])) {
    ++count;
    ++outstanding_;
  }
  if (count > 0) send_.publish();
  return count;
}

void RingPort::reclaim() {
  if (outstanding_ == 0 || returned_.refresh() == 0) return;
  for (Packet* packet = nullptr; returned_.take(packet); --outstanding_) tx_.release(packet);
  returned_.publish();
}

}  // namespace qstack
