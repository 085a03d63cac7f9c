// IpConfig: the addresses and neighbours of one stack. Host byte order. Checked by TypeScript before it gets here.
#pragma once

#include <cstdint>
#include <vector>

#include "native/wire/mac.hh"

namespace qstack {

/// A static ARP line: `count` addresses from `first` share one MAC.
struct StaticNeighbor {
  uint32_t first = 0;
  uint32_t count = 1;
  MacAddress mac{};
};

struct IpConfig {
  uint32_t address = 0;  ///< the stack owns [address, address + address_count)
  uint32_t address_count = 1;
  uint8_t prefix_length = 16;
  uint32_t gateway = 0;  ///< 0: none
  std::vector<StaticNeighbor> neighbors;
  uint32_t neighbors_max = 4096;
  MacAddress mac{};
  uint16_t mtu = 1500;
};

}  // namespace qstack
