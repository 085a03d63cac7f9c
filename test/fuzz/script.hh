// Script: a fuzzer's bytes read as arguments of operations. Where bytes are missing it reads zeros, so every input is a
// valid script and a cut one is a shorter script.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace qstack::fuzz {

class Script {
 public:
  explicit Script(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool done() const { return bytes_.empty(); }
  uint8_t u8() {
    if (bytes_.empty()) return 0;
    const uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  uint16_t u16() {
    const uint8_t high = u8();
    return static_cast<uint16_t>(high << 8 | u8());
  }
  uint32_t u32() {
    const uint32_t high = u16();
    return high << 16 | u16();
  }
  int16_t i16() { return static_cast<int16_t>(u16()); }
  /// 0 … bound - 1.
  uint32_t below(uint32_t bound) { return u8() % bound; }
  /// Up to `most` bytes of what is left.
  std::span<const uint8_t> bytes(size_t most) {
    const std::span<const uint8_t> taken = bytes_.first(std::min(most, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const uint8_t> bytes_;
};

}  // namespace qstack::fuzz
