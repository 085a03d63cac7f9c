#include "native/capi/netdev_port.hh"

#include <cerrno>
#include <cstring>

#include "native/capi/config.hh"
#include "native/wire/ethernet.hh"

namespace qstack::capi {

NetdevPort::~NetdevPort() {
  while (!in_.empty()) rx_.release(in_.pop_front());
  while (sent_ != 0) tx_.release(pop());
}

uint32_t NetdevPort::rx_burst(Packet** out, uint32_t n, Nanos now) {
  uint32_t count = 0;
  for (; count < n && !in_.empty(); ++count) {
    Packet* const packet = in_.pop_front();
    packet->arrival = arrival_++;
    packet->rx_stamp = to_stamp(now);
    out[count] = packet;
  }
  waiting_ -= count;
  return count;
}

uint32_t NetdevPort::tx_burst(Packet** packets, uint32_t n, Nanos) {
  uint32_t count = 0;
  for (; count < n && sent_ < kFramesMax; ++count) {
    Packet* const packet = packets[count];
    const uint16_t type = ethernet_type(packet->data);
    if (ip_layer_ && type != kEtherTypeIpv4 && type != kEtherTypeIpv6) {
      tx_.release(packet);
    } else {
      out_[(first_ + sent_++) % kFramesMax] = packet;
    }
  }
  return count;
}

Packet* NetdevPort::pop() {
  Packet* const packet = out_[first_];
  first_ = (first_ + 1) % kFramesMax;
  --sent_;
  return packet;
}

int NetdevPort::give(const uint8_t* frame, size_t length) {
  const size_t header = ip_layer_ ? kEthernetHeader : 0;
  if (length == 0) return -EINVAL;
  if (header + length > size_t{kEthernetHeader} + mtu_) return -EMSGSIZE;
  Packet* const packet = waiting_ < kFramesMax ? rx_.allocate() : nullptr;
  if (packet == nullptr) return -EAGAIN;
  std::memcpy(packet->data + header, frame, length);
  packet->length = static_cast<uint16_t>(header + length);
  if (ip_layer_ && !wrap(*packet, frame[0] >> 4)) {
    rx_.release(packet);
    return -EINVAL;
  }
  in_.push_back(packet);
  ++waiting_;
  return 0;
}

bool NetdevPort::wrap(Packet& packet, uint8_t version) {
  if (version != 4 && version != 6) return false;
  write_ethernet(packet.data, mac_, kEveryone, version == 4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  return true;
}

long NetdevPort::take(uint8_t* buffer, size_t room) {
  if (sent_ == 0) return -EAGAIN;
  const size_t header = ip_layer_ ? kEthernetHeader : 0;
  const size_t length = out_[first_]->length - header;
  if (length > room) return -EMSGSIZE;
  Packet* const packet = pop();
  std::memcpy(buffer, packet->data + header, length);
  tx_.release(packet);
  return static_cast<long>(length);
}

}  // namespace qstack::capi
