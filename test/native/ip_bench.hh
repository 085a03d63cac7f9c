// One IpLayer on a wire without a far end: frames go in by hand, what it sends is looked at.
#pragma once

#include <doctest/doctest.h>

#include "native/ip/ip_layer.hh"
#include "native/ip/tx_queue.hh"
#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"
#include "native/wire/ethernet.hh"

namespace qstack::test {

using Frame = PairPort::Frame;

inline constexpr MacAddress kOurMac = {2, 0, 0, 0, 0, 1};
inline constexpr MacAddress kPeerMac = {2, 0, 0, 0, 0, 0x64};
inline constexpr MacAddress kOtherMac = {2, 0, 0, 0, 0, 0x65};

struct IpBench {
  HeapRegion region{256};
  HeapPool rx{region.region(), 0, 64};
  HeapPool tx{region.region(), 64, 192};
  PairPort port{rx, tx, kOurMac};
  TxQueue queue{128};
  Counters counters;
  IpLayer ip;
  Nanos now = kSecond;
  Packet* accepted = nullptr;

  explicit IpBench(const IpConfig& config) : ip(config, rx, tx, queue, counters) {}
  ~IpBench() {
    queue.flush(port, now);
    if (accepted != nullptr) rx.release(accepted);
    CHECK(rx.available() == rx.capacity());
  }

  IpLayer::Verdict feed(const Frame& frame) {
    if (accepted != nullptr) rx.release(accepted);
    accepted = nullptr;
    port.inject(frame);
    Packet* packet = nullptr;
    REQUIRE(port.rx_burst(&packet, 1, now) == 1);
    const auto verdict = ip.input(packet, now);
    if (verdict == IpLayer::Verdict::tcp) accepted = packet;
    return verdict;
  }

  std::vector<Frame> sent() {
    queue.flush(port, now);
    std::vector<Frame> frames;
    while (auto frame = port.take()) frames.push_back(std::move(*frame));
    return frames;
  }

  uint64_t count(Counter counter) const { return counters.get(counter); }

  void wait(Nanos time) {
    for (const Nanos end = now + time; now < end;) {
      now += kSecond / 100;
      ip.tick(now);
    }
  }
};

}  // namespace qstack::test
