// Which of the 16,384 slots of a Redis Cluster a key belongs to: CRC16 (XMODEM) of the key, or of its hash tag, the
// bytes between the first `{` and the next `}` if there are any. Servers without a cluster share the same slots.
#pragma once

#include <cstdint>
#include <span>

namespace qstack::redis {

inline constexpr uint32_t kSlots = 16'384;

uint16_t crc16(std::span<const uint8_t> bytes);
uint16_t key_slot(std::span<const uint8_t> key);

}  // namespace qstack::redis
