#include "native/bench/frames.hh"

#include <algorithm>
#include <cstring>

#include "native/mempool/packet_pool.hh"
#include "native/wire/ethernet.hh"

namespace qstack::bench {

namespace {

constexpr uint32_t kBurst = 64;

/// Nothing has come back for so long: what was under way is lost, as it is when the other end has just come up.
constexpr Nanos kLost = 50'000'000;

}  // namespace

uint32_t FrameEcho::turn(Nanos now) {
  if (first_ == last_) {
    first_ = 0;
    last_ = port_.rx_burst(packets_, kBurst, now);
    for (uint32_t i = 0; i < last_; ++i) {
      const MacAddress station = ethernet_source(packets_[i]->data);
      std::memcpy(packets_[i]->data + 6, packets_[i]->data, 6);
      store_mac(packets_[i]->data, station);
    }
  }
  const uint32_t sent = port_.tx_burst(packets_ + first_, last_ - first_, now);
  first_ += sent;
  return sent;
}

uint32_t FrameLoad::turn(Nanos now) {
  Packet* packets[kBurst];
  const uint32_t n = port_.rx_burst(packets, kBurst, now);
  for (uint32_t i = 0; i < n; ++i) rx_.release(packets[i]);
  returned_ += n;
  under_way_ -= std::min(under_way_, n);
  if (n != 0) heard_ = now;
  if (now > heard_ + kLost) {
    heard_ = now;
    under_way_ = 0;
  }
  if (returned_ != 0) window_.note(now, returned_);
  return n + send(now);
}

uint32_t FrameLoad::send(Nanos now) {
  Packet* packets[kBurst];
  const uint32_t n = std::min(kBurst, config_.under_way - under_way_);
  if (n == 0 || !port_.link_up() || tx_.allocate(packets, n) == 0) return 0;
  for (uint32_t i = 0; i < n; ++i) {
    packets[i]->data = PacketRegion::buffer(packets[i]);
    packets[i]->length = config_.length;
    std::memset(packets[i]->data, 0x51, config_.length);
  }
  const uint32_t sent = port_.tx_burst(packets, n, now);
  for (uint32_t i = sent; i < n; ++i) tx_.release(packets[i]);
  under_way_ += sent;
  return sent;
}

}  // namespace qstack::bench
