#include "native/redis/key_slot.hh"

#include <algorithm>
#include <array>

namespace qstack::redis {
namespace {

constexpr uint16_t kPolynomial = 0x1021;

constexpr std::array<uint16_t, 256> make_table() {
  std::array<uint16_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000) != 0 ? kPolynomial : 0u);
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}

constexpr std::array<uint16_t, 256> kTable = make_table();

}  // namespace

uint16_t crc16(std::span<const uint8_t> bytes) {
  uint16_t crc = 0;
  for (uint8_t byte : bytes) crc = static_cast<uint16_t>((crc << 8) ^ kTable[(crc >> 8) ^ byte]);
  return crc;
}

uint16_t key_slot(std::span<const uint8_t> key) {
  const auto open = std::find(key.begin(), key.end(), '{');
  if (open != key.end()) {
    const auto close = std::find(open + 1, key.end(), '}');
    if (close != key.end() && close != open + 1) key = {&*open + 1, static_cast<size_t>(close - open - 1)};
  }
  return crc16(key) % kSlots;
}

}  // namespace qstack::redis
