// MacAddress: 48 bits, in wire order.
#pragma once

#include <array>
#include <cstdint>

namespace qstack {

using MacAddress = std::array<uint8_t, 6>;
inline constexpr MacAddress kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

}  // namespace qstack
