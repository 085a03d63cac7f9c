// NetdevPort: the port of a stack whose frames another program carries.
//
// In: frames that the program gives, copied into RX packets. Out: frames of the stack, of which it holds a reference until
// the program takes them. Both queues are bounded: a full one refuses the program's frame, or makes the stack keep its own.
// With `ip_layer` the program sees IP packets only; the Ethernet header is put on and taken off here.
#pragma once

#include <array>

#include "native/mempool/packet_queue.hh"
#include "native/port/port.hh"

namespace qstack::capi {

class NetdevPort final : public Port {
 public:
  static constexpr uint32_t kFramesMax = 1'024;

  NetdevPort(PacketPool& rx, PacketPool& tx, const MacAddress& mac, uint16_t mtu, bool ip_layer)
      : rx_(rx), tx_(tx), mac_(mac), mtu_(mtu), ip_layer_(ip_layer) {}
  ~NetdevPort() override;
  NetdevPort(const NetdevPort&) = delete;
  NetdevPort& operator=(const NetdevPort&) = delete;

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override;
  MacAddress mac() const override { return mac_; }
  uint16_t mtu() const override { return mtu_; }
  bool link_up() override { return true; }

  /// 0, or -EMSGSIZE, -EINVAL, -EAGAIN.
  int give(const uint8_t* frame, size_t length);
  /// Length of the oldest frame, copied to `buffer`; -EAGAIN, -EMSGSIZE.
  long take(uint8_t* buffer, size_t room);

 private:
  bool wrap(Packet& packet, uint8_t version);
  Packet* pop();

  PacketPool& rx_;
  PacketPool& tx_;
  MacAddress mac_;
  uint16_t mtu_;
  bool ip_layer_;
  uint32_t arrival_ = 0;
  PacketQueue in_;        ///< for the stack
  uint32_t waiting_ = 0;
  std::array<Packet*, kFramesMax> out_{};  ///< for the program: a circle; TCP keeps these packets in lists of its own
  uint32_t first_ = 0;
  uint32_t sent_ = 0;
};

}  // namespace qstack::capi
