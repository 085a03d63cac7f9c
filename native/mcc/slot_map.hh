// SlotMap: which of our connections has a slot of the network. Four bytes for each slot, on huge pages where there are many: among
// millions of connections every event looks at a random place of it.
//
// Sized once, for all slots that the network has. A place holds one more than the number, because fresh memory is zeros: nobody's,
// and nothing has to be written before the first connection.
#pragma once

#include <cassert>
#include <cstdint>
#include <span>

#include "native/mempool/mapping.hh"
#include "native/mempool/packet.hh"

namespace qstack::mcc {

class SlotMap {
 public:
  /// Throws std::bad_alloc.
  explicit SlotMap(uint32_t slots)
      : memory_(size_t{slots} * sizeof(uint32_t)), places_(reinterpret_cast<uint32_t*>(memory_.data()), slots) {}

  MemoryRegion memory() const { return memory_.region(); }
  void prefetch(uint32_t slot) const {
    if (slot < places_.size()) __builtin_prefetch(&places_[slot]);
  }

  void set(uint32_t slot, uint32_t number) {
    assert(slot < places_.size() && "the network has more slots than were told");
    places_[slot] = number + 1;
  }

  /// Of whoever had the slot last; kNoIndex for one that nobody had, and for what is no slot.
  uint32_t number_of(uint32_t slot) const { return slot < places_.size() ? places_[slot] - 1 : kNoIndex; }

 private:
  static_assert(kNoIndex == UINT32_MAX, "an untouched place, 0, less one");

  Mapping memory_;
  std::span<uint32_t> places_;
};

}  // namespace qstack::mcc
