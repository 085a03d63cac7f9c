// Arena: the one mapping of a server's stacks that JavaScript sees as well.
//
//   ArenaHeader │ app lines │ stack lines │ ring directory │ rings: headers and records │ info places
//   │ packet region: RX pools, TX pools │ slab
//   │ IPv6 addresses by slot, where IPv6 is spoken: memory is taken by those that are used
//
// In: how many of everything. Out: a plan with an offset for everything, and memory laid out by it. Invariant: below 4
// GiB, so that a u32 offset names every byte; slots and packets are numbered through all stacks, so that a record needs not
// say whose they are; rings are found by the plan, never by the directory that an app could overwrite.
// Read first: docs/ARCHITECTURE.md 3 and 4, docs/several-stacks.md 6, native/abi/layout.hh.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "native/mempool/mapping.hh"
#include "native/mempool/packet_pool.hh"
#include "native/ring/spsc_ring.hh"

namespace qstack {

constexpr std::array<uint32_t, abi::kLevelsMax> no_budgets() {
  std::array<uint32_t, abi::kLevelsMax> budgets{};
  budgets.fill(UINT32_MAX);
  return budgets;
}

struct ArenaConfig {
  uint32_t stacks = 1;
  uint32_t levels = 1;
  uint32_t apps = 1;
  uint32_t connections = 0;  ///< of each stack
  uint32_t rx_packets = 0;   ///< of each stack
  uint32_t tx_packets = 0;   ///< of each stack
  uint32_t empty_records = 4096;  ///< of each empty ring; cut to what the TX pool can fill
  uint64_t region_bytes = 0;      ///< what the packet pools of all stacks need
  uint32_t region_align = 4096;
  uint32_t slab_bytes = 0;
  /// RX packets of a stack that messages of a level may hold while they are with apps.
  std::array<uint32_t, abi::kLevelsMax> rx_budgets = no_budgets();
  uint32_t mss = 1460;
  bool ipv6 = false;  ///< there is a place for the IPv6 addresses of every connection
};

struct ArenaPlan {
  ArenaConfig config;
  std::vector<abi::RingEntry> rings;  ///< stacks * apps * kRingsPerApp, in the directory's order
  uint32_t region_at = 0;
  uint32_t slab_at = 0;
  uint32_t addresses_at = 0;  ///< 0: none
  uint32_t infos_at = 0;
  uint32_t bytes = 0;

  const abi::RingEntry& ring(uint32_t stack, uint32_t app, uint32_t index) const {
    return rings[(stack * config.apps + app) * abi::kRingsPerApp + index];
  }
};

/// Throws std::length_error with a sentence when it does not fit below 4 GiB or a count is out of its range.
ArenaPlan plan_arena(const ArenaConfig& config);

class Arena {
 public:
  explicit Arena(const ArenaConfig& config);

  const ArenaPlan& plan() const { return plan_; }
  const ArenaConfig& config() const { return plan_.config; }
  uint8_t* base() const { return memory_.data(); }
  uint8_t* region_memory() const { return base() + plan_.region_at; }
  abi::ArenaHeader& header() const { return *reinterpret_cast<abi::ArenaHeader*>(base()); }
  abi::AppLine& line(uint32_t app) const { return reinterpret_cast<abi::AppLine*>(base() + abi::kAppLinesAt)[app]; }
  abi::StackLine& stack_line(uint32_t stack) const {
    return reinterpret_cast<abi::StackLine*>(base() + abi::kStackLinesAt)[stack];
  }

  /// The first slot, RX packet and TX packet of a stack.
  uint32_t first_slot(uint32_t stack) const { return stack * config().connections; }
  uint32_t first_rx(uint32_t stack) const { return stack * config().rx_packets; }
  uint32_t first_tx(uint32_t stack) const {
    return config().stacks * config().rx_packets + stack * config().tx_packets;
  }

  /// Only of an arena with IPv6. `slot` is numbered through all stacks.
  abi::AddressEntry& addresses(uint32_t slot) const {
    return reinterpret_cast<abi::AddressEntry*>(base() + plan_.addresses_at)[slot];
  }

  /// Place `place` of `app` for the answer to an info record.
  uint8_t* info(uint32_t app, uint32_t place) const {
    return base() + plan_.infos_at + (app * abi::kInfosPerApp + place) * abi::kInfoBytes;
  }

  template <typename T>
  RingView<T> ring(uint32_t stack, uint32_t app, uint32_t index) const {
    const abi::RingEntry& entry = plan_.ring(stack, app, index);
    return {reinterpret_cast<abi::RingHeader*>(base() + entry.header_at),
            reinterpret_cast<T*>(base() + entry.records_at), entry.capacity};
  }

  /// The pools are made: tells JavaScript where packets lie. The region lies in this arena.
  void set_region(const PacketRegion& region);
  const PacketRegion& region() const { return region_; }

  /// What is in use from the start on: slabs and IPv6 addresses, which lie behind it, take memory as they are used.
  MemoryRegion used_at_once() const { return {base(), plan_.slab_at}; }

  /// Gives the memory back but keeps the addresses: buffers of JavaScript stay readable (as zeros) for ever.
  void discard();

 private:
  void write_header();

  ArenaPlan plan_;
  Mapping memory_;
  PacketRegion region_;
};

}  // namespace qstack
