// A server of several stacks with its memory, over a port that the test gives.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "native/stack/shards.hh"
#include "native/steer/stack_ports.hh"
#include "test/native/app_rings_bench.hh"
#include "test/native/tcp_world.hh"

namespace qstack::rings_test {

struct ShardSizes {
  uint32_t stacks = 2;
  uint32_t apps = 1;
  uint32_t connections = 64;  ///< of each stack
  uint32_t packets = 256;     ///< of each of its pools
};

class ShardsBench {
 public:
  /// In the pools of the first stack.
  using MakeDevice = std::function<std::unique_ptr<Port>(PacketPool& rx, PacketPool& tx)>;

  explicit ShardsBench(const ShardSizes& sizes, const MakeDevice& make_device)
      : sizes(sizes), memory(arena_config(sizes)), steering(stack_config(sizes).tcp.secret, sizes.stacks) {
    std::vector<StackPorts::Pools> pools;
    for (uint32_t stack = 0; stack < sizes.stacks; ++stack) {
      HeapPool& own_rx = rx.emplace_back(memory.region(), memory.first_rx(stack), sizes.packets);
      HeapPool& own_tx = tx.emplace_back(memory.region(), memory.first_tx(stack), sizes.packets);
      pools.push_back({&own_rx, &own_tx});
    }
    device = make_device(rx[0], tx[0]);
    std::vector<Shards::End> ends;
    if (sizes.stacks > 1) ports.emplace(*device, steering, pools);
    for (uint32_t stack = 0; stack < sizes.stacks; ++stack) {
      Steerer* const steerer = ports ? ports->steerer(stack) : nullptr;
      ends.push_back({ports ? &ports->port(stack) : device.get(), &rx[stack], &tx[stack], steerer});
    }
    shards.emplace(stack_config(sizes), memory, ends, ports ? &steering : nullptr);
  }

  static StackConfig stack_config(const ShardSizes& sizes) {
    StackConfig config = test::host_config(1);
    config.tcp.connections = config.tcp.busy = config.tcp.half_open = sizes.connections;
    config.tcp.levels = 2;
    return config;
  }
  static ArenaConfig arena_config(const ShardSizes& sizes) {
    ArenaConfig config = Bench::config(sizes.apps, 2, sizes.packets, sizes.packets, sizes.stacks);
    config.connections = sizes.connections;
    config.empty_records = 128;
    config.ipv6 = false;
    return config;
  }

  uint64_t count(uint32_t stack, Counter counter) { return shards->figures()[stack].counters.get(counter); }
  uint64_t count(Counter counter) {
    uint64_t sum = 0;
    for (const StackFigures& figures : shards->figures()) sum += figures.counters.get(counter);
    return sum;
  }

  /// Ends the server. True: its packets are in their pools, but for the empty ones that apps have.
  bool all_home() {
    std::vector<uint32_t> with_apps;
    for (const StackFigures& figures : shards->figures()) with_apps.push_back(figures.tx_with_apps);
    shards.reset();
    ports.reset();
    device.reset();
    bool home = true;
    for (uint32_t stack = 0; stack < sizes.stacks; ++stack) {
      home = home && rx[stack].available() == sizes.packets;
      home = home && tx[stack].available() + with_apps[stack] == sizes.packets;
    }
    return home;
  }

  ShardSizes sizes;
  PacketArena memory;
  FlowSteering steering;
  std::deque<HeapPool> rx, tx;
  std::unique_ptr<Port> device;
  std::optional<StackPorts> ports;
  std::optional<Shards> shards;
};

}  // namespace qstack::rings_test
