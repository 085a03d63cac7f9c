// SimLife: the stacks of a host from one crash to the next: one, or several that share its link and its addresses, each with
// memory, port and app of its own.
//
//   network ── SimPort ── Stack 0
//
//   network ── SimPort ── SteeringPort ── HomePort ── Stack 0
//                              ╚═ SteeredPort ── HomePort ── Stack 1 …
#pragma once

#include <deque>
#include <optional>

#include "native/mempool/heap_pool.hh"
#include "native/sim/home_port.hh"
#include "native/sim/sim_app.hh"
#include "native/sim/sim_port.hh"
#include "native/steer/stack_ports.hh"

namespace qstack::sim {

/// What hosts live in.
struct Scene {
  const Plan& plan;
  Network& network;
  Ledger& ledger;
  const Nanos& now;
  const bool& healed;
};

/// The packets of one stack.
struct Packets {
  explicit Packets(const HostPlan& host)
      : region(host.rx_packets + host.tx_packets),
        rx(region.region(), 0, host.rx_packets),
        tx(region.region(), host.rx_packets, host.tx_packets) {}
  bool all_home() const { return rx.available() == rx.capacity() && tx.available() == tx.capacity(); }

  HeapRegion region;
  HeapPool rx, tx;
};

/// One of the stacks, and its app.
struct Shard {
  Shard(const Scene& scene, uint8_t host, uint32_t life, const StackConfig& config, Port& port, Packets& packets);
  /// Everything is as it was at the start: packets, control blocks, records.
  bool empty() const;
  std::string what_is_left() const;

  Packets& packets;
  SimApp app;
  Stack stack;
};

class SimLife {
 public:
  /// `number`: how often the host has crashed before.
  SimLife(const Scene& scene, uint8_t host, uint32_t number);

  std::deque<Shard>& shards() { return shards_; }
  const std::deque<Shard>& shards() const { return shards_; }
  /// Whether a stack has moved frames for others since this was asked last.
  bool moved() { return ports_ && ports_->steerer(0)->take_moved() != 0; }

 private:
  void share_device(Ledger& ledger, uint32_t way_frames);

  StackConfig config_;  ///< of the stack that is made next
  FlowSteering steering_;
  std::deque<Packets> packets_;
  SimPort device_;
  std::optional<StackPorts> ports_;  ///< none: there is one stack
  std::deque<HomePort> homes_;
  std::deque<Shard> shards_;
};

}  // namespace qstack::sim
