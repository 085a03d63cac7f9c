// LengthPrefix: a number inside of each message says how long it is.
//
//   message:  | offset bytes | number, width bytes | rest …       length = number + adjust
//
// In: the first bytes of a message, as many as have come. Out: its length. Invariant: a length covers the number itself
// and is not above `maximum`, so messages follow each other without an end, and each fits into a packet.
#pragma once

#include <cstdint>

#include "native/mempool/packet_pool.hh"

namespace qstack {

struct LengthPrefix {
  uint8_t offset = 0;
  uint8_t width = 2;  ///< 1, 2 or 4
  bool little_endian = false;
  int32_t adjust = 0;  ///< what the number leaves out of the message's length
  uint16_t maximum = kRoom;

  /// Bytes that must be there before the length is known.
  uint32_t header() const { return uint32_t{offset} + width; }
  bool valid() const {
    return (width == 1 || width == 2 || width == 4) && maximum >= header() && maximum <= kRoom;
  }
  /// `at`: the first byte of the number. Negative: no message has this length.
  int32_t length(const uint8_t* at) const {
    uint32_t number = 0;
    for (uint32_t i = 0; i < width; ++i) number = number << 8 | at[little_endian ? width - 1 - i : i];
    const int64_t length = int64_t{number} + adjust;
    return length < header() || length > maximum ? -1 : static_cast<int32_t>(length);
  }
  friend bool operator==(const LengthPrefix&, const LengthPrefix&) = default;
};

}  // namespace qstack
