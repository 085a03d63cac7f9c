// Connections of the generator: one flat array of 32-byte records, numbered 0 … connections - 1 for the whole test.
//
// A connection keeps its number over reconnects; the stack's handle changes. `by_slot` finds the number of a handle.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "native/mcc/slot_map.hh"
#include "native/mempool/mapping.hh"
#include "native/tcp/app.hh"

namespace qstack::mcc {

enum class ConnectionState : uint8_t {
  fresh = 0,       ///< not yet opened
  connecting = 1,  ///< SYN sent
  open = 2,
  resting = 3,  ///< refused or lost; waits in the retry list
  closing = 4,  ///< FIN sent by us, at the end of the test
  closed = 5,   ///< for good
  renewing = 6,  ///< FIN sent by us, to be opened anew
};

/// How far a connection is towards its last message, where it has one (EngineConfig::reconnect_after).
enum class Wear : uint8_t {
  none = 0,
  last_due = 1,   ///< the last message waits to be sent; others that become due fail
  last_sent = 2,  ///< it closes when all is answered
};

inline constexpr uint16_t kNoPartial = 0xffff;

struct Connection {
  Handle handle;
  uint32_t counter = 1;        ///< of the next message
  uint32_t base = 1;           ///< counter of the first message of this run: older replies are late, not wrong
  uint32_t oldest = kNoIndex;  ///< first pending message, see PendingPool; resting: next connection of the retry list
  uint32_t newest = kNoIndex;  ///< last pending message; resting: when to retry, in milliseconds
  uint16_t run = 0;            ///< run that base, oldest and newest belong to
  uint16_t attempts = 0;       ///< opens so far; each takes another local port where there are enough
  uint16_t partial = kNoPartial;  ///< reply that has not arrived whole, see Assembler
  ConnectionState state = ConnectionState::fresh;
  Wear wear = Wear::none;
};
static_assert(sizeof(Connection) == 32);

class ConnectionTable {
 public:
  ConnectionTable(uint32_t connections, uint32_t slots)
      : memory_(size_t{connections} * sizeof(Connection)),
        connections_(reinterpret_cast<Connection*>(memory_.data()), connections),
        by_slot_(slots) {
    std::uninitialized_value_construct(connections_.begin(), connections_.end());
  }

  uint32_t size() const { return static_cast<uint32_t>(connections_.size()); }
  MemoryRegion memory() const { return memory_.region(); }
  MemoryRegion slot_memory() const { return by_slot_.memory(); }
  Connection& at(uint32_t number) { return connections_[number]; }
  void prefetch(uint32_t number) const { __builtin_prefetch(&connections_[number]); }
  void prefetch(Handle handle) const { by_slot_.prefetch(handle.slot); }

  void bind(uint32_t number, Handle handle) {
    by_slot_.set(handle.slot, number);
    connections_[number].handle = handle;
  }

  /// Of whoever has the handle's slot; kNoIndex for a slot that nobody had.
  uint32_t number_of(Handle handle) const { return by_slot_.number_of(handle.slot); }

  /// kNoIndex for a handle that is not (or no more) one of ours.
  uint32_t find(Handle handle) const {
    const uint32_t number = number_of(handle);
    return number != kNoIndex && connections_[number].handle == handle ? number : kNoIndex;
  }

 private:
  Mapping memory_;
  std::span<Connection> connections_;
  SlotMap by_slot_;
};

/// Local addresses × ports. Connection i takes pair i; an n-th attempt moves on by whole sets of connections while
/// there are enough pairs, because the old pair may rest in the peer's TIME-WAIT.
class AddressPool {
 public:
  AddressPool(uint32_t first, uint32_t addresses, uint32_t connections, uint16_t first_port = 1025)
      : first_(first), addresses_(addresses), connections_(connections), first_port_(first_port) {}

  uint64_t pairs() const { return uint64_t{addresses_} * ports(); }

  Endpoint at(uint32_t connection, uint16_t attempt) const {
    uint64_t sets = pairs() / connections_;
    uint64_t pair = connection + (sets > 1 ? attempt % sets * connections_ : 0);
    return {first_ + static_cast<uint32_t>(pair % addresses_), static_cast<uint16_t>(first_port_ + pair / addresses_)};
  }

 private:
  uint32_t ports() const { return 65536u - first_port_; }

  uint32_t first_, addresses_, connections_;
  uint16_t first_port_;
};

}  // namespace qstack::mcc
