#include "native/wire/tcp.hh"

#include <algorithm>

namespace qstack {
namespace {

constexpr uint8_t kOptionEnd = 0, kOptionNop = 1, kOptionMss = 2, kOptionWindowScale = 3, kOptionSackPermitted = 4,
                  kOptionSack = 5, kOptionTimestamps = 8;

void parse_sack(const uint8_t* at, uint8_t length, TcpOptions& out) {
  const uint8_t count = std::min<uint8_t>((length - 2) / 8, kSackBlocksMax);
  for (uint8_t i = 0; i < count; ++i) {
    out.sack[i] = {load_be32(at + 2 + 8 * i), load_be32(at + 6 + 8 * i)};
  }
  out.sack_count = count;
}

/// One option of `length` bytes at `at`; an option of unexpected length is ignored.
void parse_option(const uint8_t* at, uint8_t length, TcpOptions& out) {
  switch (at[0]) {
    case kOptionMss:
      if (length == 4) out.mss = load_be16(at + 2);
      break;
    case kOptionWindowScale:
      if (length == 3) {
        out.has_window_scale = true;
        out.window_scale = std::min(at[2], kWindowScaleMax);  // RFC 7323 2.3: a larger shift is taken as 14
      }
      break;
    case kOptionSackPermitted:
      if (length == 2) out.sack_permitted = true;
      break;
    case kOptionSack:
      if (length >= 10 && (length - 2) % 8 == 0) parse_sack(at, length, out);
      break;
    case kOptionTimestamps:
      if (length == 10) {
        out.has_timestamps = true;
        out.ts_value = load_be32(at + 2);
        out.ts_echo = load_be32(at + 6);
      }
      break;
    default:
      break;
  }
}

void parse_options(const uint8_t* at, const uint8_t* end, TcpOptions& out) {
  // The layout that nearly every data segment has: NOP NOP TIMESTAMPS (RFC 7323 appendix A).
  if (end - at == 12 && load_be32(at) == 0x0101080a) {
    out.has_timestamps = true;
    out.ts_value = load_be32(at + 4);
    out.ts_echo = load_be32(at + 8);
    return;
  }
  while (at < end && *at != kOptionEnd) {
    if (*at == kOptionNop) {
      ++at;
      continue;
    }
    if (end - at < 2 || at[1] < 2 || at[1] > end - at) return;
    parse_option(at, at[1], out);
    at += at[1];
  }
}

}  // namespace

bool parse_tcp(const uint8_t* bytes, uint16_t length, TcpSegment& out) {
  if (length < kTcpHeader) return false;
  const uint8_t header_length = static_cast<uint8_t>((bytes[12] >> 4) * 4);
  if (header_length < kTcpHeader || header_length > length) return false;
  out.source_port = load_be16(bytes);
  out.destination_port = load_be16(bytes + 2);
  out.seq = load_be32(bytes + 4);
  out.ack = load_be32(bytes + 8);
  out.flags = bytes[kTcpFlagsAt];
  out.window = load_be16(bytes + 14);
  out.urgent = load_be16(bytes + 18);
  out.header_length = header_length;
  out.payload_length = static_cast<uint16_t>(length - header_length);
  out.options = {};
  if (header_length > kTcpHeader) parse_options(bytes + kTcpHeader, bytes + header_length, out.options);
  return true;
}

uint8_t write_syn_options(uint8_t* at, const TcpOptions& options) {
  uint8_t* const start = at;
  *at++ = kOptionMss;
  *at++ = 4;
  store_be16(at, options.mss);
  at += 2;
  if (options.sack_permitted) {
    *at++ = kOptionSackPermitted;
    *at++ = 2;
  } else if (options.has_timestamps) {
    *at++ = kOptionNop;
    *at++ = kOptionNop;
  }
  if (options.has_timestamps) {
    *at++ = kOptionTimestamps;
    *at++ = 10;
    store_be32(at, options.ts_value);
    store_be32(at + 4, options.ts_echo);
    at += 8;
  } else if (options.sack_permitted) {
    *at++ = kOptionNop;
    *at++ = kOptionNop;
  }
  if (options.has_window_scale) {
    *at++ = kOptionNop;
    *at++ = kOptionWindowScale;
    *at++ = 3;
    *at++ = options.window_scale;
  }
  return static_cast<uint8_t>(at - start);
}

uint8_t write_timestamps(uint8_t* at, uint32_t value, uint32_t echo) {
  store_be32(at, 0x0101080a);
  store_be32(at + 4, value);
  store_be32(at + 8, echo);
  return 12;
}

uint8_t write_sack(uint8_t* at, const SackBlock* blocks, uint8_t count) {
  at[0] = at[1] = kOptionNop;
  at[2] = kOptionSack;
  at[3] = static_cast<uint8_t>(2 + 8 * count);
  for (uint8_t i = 0; i < count; ++i) {
    store_be32(at + 4 + 8 * i, blocks[i].first);
    store_be32(at + 8 + 8 * i, blocks[i].end);
  }
  return static_cast<uint8_t>(4 + 8 * count);
}

}  // namespace qstack
