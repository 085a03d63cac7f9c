// Stacks behind one device, as far as their ports go: numbered frames of many flows, and the pools that they lie in.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"
#include "native/steer/steered_port.hh"
#include "native/steer/steering_port.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"

namespace qstack::test {

inline constexpr uint32_t kPackets = 256;
inline constexpr uint32_t kOurs = 0x0a000001, kTheirs = 0x0a000002;
inline constexpr uint16_t kFirstPort = 1'024, kLength = 64;
inline constexpr uint32_t kNumberAt = 56;
inline constexpr MacAddress kMac = {2, 0, 0, 0, 0, 1};

struct SteerPools {
  HeapRegion region{2 * kPackets};
  HeapPool rx{region.region(), 0, kPackets};
  HeapPool tx{region.region(), kPackets, kPackets};
  bool all_home() const { return rx.available() == kPackets && tx.available() == kPackets; }
};

/// far ═ device ─ first ═ others, each with pools of its own.
struct SteerBench {
  explicit SteerBench(uint32_t stacks, uint32_t capacity, uint32_t wire = 4'096)
      : device{pools.rx, pools.tx, kMac, wire}, far{far_pools.rx, far_pools.tx, {}}, steering({1, 2, 3, 4}, stacks) {
    PairPort::connect(device, far);
    std::vector<SteerLink*> all;
    for (uint32_t stack = 1; stack < stacks; ++stack) {
      links.push_back(std::make_unique<SteerLink>(capacity));
      all.push_back(links.back().get());
    }
    first = std::make_unique<SteeringPort>(device, pools.rx, pools.tx, steering, all);
    for (SteerLink* const link : all) {
      other_pools.push_back(std::make_unique<SteerPools>());
      others.push_back(std::make_unique<SteeredPort>(*link, other_pools.back()->rx, other_pools.back()->tx, kMac, 1'500));
    }
  }

  /// Called with all threads stopped.
  bool all_home() {
    others.clear();
    first.reset();
    while (far.take() || device.take()) continue;
    bool home = pools.all_home() && far_pools.all_home();
    for (const auto& other : other_pools) home = home && other->all_home();
    return home;
  }

  SteerPools pools, far_pools;
  PairPort device, far;
  FlowSteering steering;
  std::vector<std::unique_ptr<SteerLink>> links;
  std::unique_ptr<SteeringPort> first;
  std::vector<std::unique_ptr<SteerPools>> other_pools;
  std::vector<std::unique_ptr<SteeredPort>> others;
};

/// A segment of the peer's port `kFirstPort` + `flow`, with a number in its payload.
inline void write_segment(uint8_t* frame, uint32_t flow, uint32_t number) {
  write_ethernet(frame, kMac, {}, kEtherTypeIpv4);
  write_ipv4(frame + kEthernetHeader, kTheirs, kOurs, kProtocolTcp, kLength - kEthernetHeader);
  write_tcp_header(frame + kEthernetHeader + kIpv4Header, static_cast<uint16_t>(kFirstPort + flow), 80, 0, 0, kTcpHeader, kAck,
                   0);
  store_be32(frame + kNumberAt, number);
}

inline bool send(Port& port, HeapPool& pool, uint32_t flow, uint32_t number) {
  Packet* packet = pool.allocate();
  if (packet == nullptr) return false;
  packet->length = kLength;
  write_segment(packet->data, flow, number);
  if (port.tx_burst(&packet, 1, 0) == 1) return true;
  pool.release(packet);
  return false;
}

inline uint32_t flow_of(const uint8_t* frame) { return load_be16(frame + kEthernetHeader + kIpv4Header) - kFirstPort; }
inline uint32_t stack_of(const SteerBench& bench, uint32_t flow) {
  return bench.steering.stack_of(kTheirs, static_cast<uint16_t>(kFirstPort + flow), kOurs, 80);
}

/// A flow of this stack.
inline uint32_t flow_of_stack(const SteerBench& bench, uint32_t stack) {
  uint32_t flow = 0;
  while (stack_of(bench, flow) != stack) ++flow;
  return flow;
}

/// Polls once; returns the numbers of what came.
inline std::vector<uint32_t> numbers(Port& port, HeapPool& pool, uint32_t most = 64, Nanos now = 0) {
  Packet* burst[256];
  std::vector<uint32_t> out;
  const uint32_t n = port.rx_burst(burst, most, now);
  for (uint32_t i = 0; i < n; ++i) {
    out.push_back(load_be32(burst[i]->data + kNumberAt));
    pool.release(burst[i]);
  }
  return out;
}

}  // namespace qstack::test
