// IpConfig: the addresses and neighbours of one stack. Host byte order. Checked by TypeScript before it gets here.
#pragma once

#include <cstdint>
#include <vector>

#include "native/wire/ip_address.hh"
#include "native/wire/mac.hh"

namespace qstack {

class OtherStacks;

/// A static ARP or NDP line: `count` addresses from `first` share one MAC.
struct StaticNeighbor {
  IpAddress first;
  uint32_t count = 1;
  MacAddress mac{};
};

struct Ipv6Config {
  IpAddress address;  ///< the stack owns [address, address + address_count); `::`: it speaks no IPv6
  uint32_t address_count = 1;
  uint8_t prefix_length = 64;
  IpAddress gateway;                   ///< `::`: none
  bool router_advertisements = false;  ///< without a gateway: the router that advertises itself is one (RFC 4861 6.3.4)
  uint8_t dad_transmits = 1;           ///< DupAddrDetectTransmits of RFC 4862 5.1; 0: addresses are not checked

  bool enabled() const { return !address.unspecified(); }
};

struct IpConfig {
  uint32_t address = 0;  ///< the stack owns [address, address + address_count); 0: it speaks no IPv4
  uint32_t address_count = 1;
  uint8_t prefix_length = 16;
  uint32_t gateway = 0;  ///< 0: none
  Ipv6Config ipv6;
  std::vector<StaticNeighbor> neighbors;
  uint32_t neighbors_max = 4096;
  MacAddress mac{};
  uint16_t mtu = 1500;
  uint16_t vlan = 0;    ///< 802.1Q: frames of this VLAN are ours, and leave with its tag; 0: untagged frames
  uint64_t secret = 0;  ///< of this start: keys the table of neighbours
  OtherStacks* others = nullptr;  ///< get what is theirs of what came in fragments; null: there are none
};

}  // namespace qstack
