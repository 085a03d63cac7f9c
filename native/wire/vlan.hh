// 802.1Q tags: four bytes between the source address and the type of a frame: 0x8100, then priority (3 bits), DEI (1) and
// the number of the VLAN (12). Number 0 is a priority and no VLAN (802.1Q 9.6).
#pragma once

#include <cstring>

#include "native/wire/bytes.hh"
#include "native/wire/ethernet.hh"

namespace qstack {

inline constexpr uint16_t kEtherTypeVlan = 0x8100;
inline constexpr uint16_t kVlanTag = 4;
inline constexpr uint16_t kVlanMax = 4094;

/// Of a tagged frame of at least kEthernetHeader + kVlanTag bytes.
inline uint16_t vlan_of(const uint8_t* frame) { return load_be16(frame + kEthernetHeader) & 0x0fff; }

/// Moves the addresses over the tag; the frame begins kVlanTag bytes later from now on.
inline void remove_tag(uint8_t* frame) { std::memmove(frame + kVlanTag, frame, 12); }

/// Moves the addresses from `frame` + kVlanTag to `frame`, where the frame begins from now on.
inline void insert_tag(uint8_t* frame, uint16_t vlan) {
  std::memmove(frame, frame + kVlanTag, 12);
  store_be16(frame + 12, kEtherTypeVlan);
  store_be16(frame + kEthernetHeader, vlan);
}

}  // namespace qstack
