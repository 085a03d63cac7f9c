// TCP segments as bytes: a parsed header, its options, and how to write them (RFC 9293 3.1, RFC 7323, RFC 2018).
//
// In: bytes from the wire, any bytes. Out: values in host order. Parsing reads inside the given length only, and ends:
// an option of length 0 or 1 stops it (RFC 9293 3.2, MUST-7).
#pragma once

#include <cstdint>

#include "native/wire/bytes.hh"
#include "native/wire/seqnum.hh"

namespace qstack {

inline constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10, kUrg = 0x20,
                         kEce = 0x40, kCwr = 0x80;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint16_t kTcpHeader = 20;
/// Where the flags stand in the header.
inline constexpr uint16_t kTcpFlagsAt = 13;
inline constexpr uint8_t kSackBlocksMax = 4;
/// With the timestamp option only 3 blocks fit into 40 bytes of options (RFC 2018 3).
inline constexpr uint8_t kWindowScaleMax = 14;

struct SackBlock {
  Seq first = 0;  ///< first byte held
  Seq end = 0;    ///< one past the last
};

struct TcpOptions {
  uint16_t mss = 0;  ///< 0: absent
  uint8_t window_scale = 0;
  uint8_t sack_count = 0;
  bool has_window_scale = false;
  bool has_timestamps = false;
  bool sack_permitted = false;
  uint32_t ts_value = 0;
  uint32_t ts_echo = 0;
  SackBlock sack[kSackBlocksMax];
};

struct TcpSegment {
  uint16_t source_port;
  uint16_t destination_port;
  Seq seq;
  Seq ack;
  uint16_t window;  ///< as on the wire, not scaled
  uint8_t flags;
  uint8_t header_length;
  uint16_t payload_length;
  uint16_t urgent;  ///< counts with URG only
  TcpOptions options;

  /// Sequence space that the segment takes (SEG.LEN of RFC 9293).
  uint32_t sequence_length() const {
    return payload_length + ((flags & kSyn) ? 1u : 0u) + ((flags & kFin) ? 1u : 0u);
  }
};

/// False: the header does not fit into `length` bytes, or its data offset is wrong.
bool parse_tcp(const uint8_t* bytes, uint16_t length, TcpSegment& out);

/// Writers return the number of bytes written, always a multiple of 4 (padded by NOPs).
uint8_t write_syn_options(uint8_t* at, const TcpOptions& options);
uint8_t write_timestamps(uint8_t* at, uint32_t value, uint32_t echo);
uint8_t write_sack(uint8_t* at, const SackBlock* blocks, uint8_t count);

/// Writes the 20 fixed bytes; the checksum field is left 0.
inline void write_tcp_header(uint8_t* at, uint16_t source_port, uint16_t destination_port, Seq seq, Seq ack,
                             uint8_t header_length, uint8_t flags, uint16_t window) {
  store_be16(at, source_port);
  store_be16(at + 2, destination_port);
  store_be32(at + 4, seq);
  store_be32(at + 8, ack);
  at[12] = static_cast<uint8_t>(header_length << 2);
  at[kTcpFlagsAt] = flags;
  store_be16(at + 14, window);
  store_be32(at + 16, 0);
}

}  // namespace qstack
