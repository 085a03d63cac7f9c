// Big-endian loads and stores on unaligned bytes. Callers check bounds.
#pragma once

#include <cstdint>
#include <cstring>

namespace qstack {

inline uint16_t load_be16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, 2);
  return __builtin_bswap16(value);
}

inline uint32_t load_be32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, 4);
  return __builtin_bswap32(value);
}

inline void store_be16(uint8_t* at, uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, 2);
}

inline void store_be32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, 4);
}

}  // namespace qstack
