// Ethernet II frames: 14 bytes of destination, source and type. vlan.hh has the tag that may stand before the type.
#pragma once

#include <cstring>

#include "native/wire/bytes.hh"
#include "native/wire/mac.hh"

namespace qstack {

inline constexpr uint16_t kEthernetHeader = 14;
inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;

inline MacAddress load_mac(const uint8_t* at) {
  MacAddress mac;
  std::memcpy(mac.data(), at, mac.size());
  return mac;
}

inline void store_mac(uint8_t* at, const MacAddress& mac) { std::memcpy(at, mac.data(), mac.size()); }

/// Group addresses (multicast, broadcast) name no single station: nobody may claim one as its own.
inline bool is_group(const MacAddress& mac) { return (mac[0] & 1) != 0; }

inline MacAddress ethernet_destination(const uint8_t* frame) { return load_mac(frame); }
inline MacAddress ethernet_source(const uint8_t* frame) { return load_mac(frame + 6); }
inline uint16_t ethernet_type(const uint8_t* frame) { return load_be16(frame + 12); }

inline void write_ethernet(uint8_t* at, const MacAddress& destination, const MacAddress& source, uint16_t type) {
  store_mac(at, destination);
  store_mac(at + 6, source);
  store_be16(at + 12, type);
}

}  // namespace qstack
