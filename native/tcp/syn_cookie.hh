// SynCookies: what SYN-RECEIVED needs to remember, put into numbers that the peer sends back (RFC 4987 3.6).
//
//   initial sequence number   28 bits of MAC │ 1 bit: which secret │ 3 bits: MSS
//   our TSval, lowest 6 bits  1 bit ECN │ 1 bit SACK │ 4 bits: window scale, 15 for none; only where the peer has timestamps
//
// In: a flow's keyed hash, the peer's initial sequence number, time. Out: our numbers, and later whether an ACK carries
// them. Invariant: a cookie lives for one to two kLifeMs; then its secret is gone. Nothing is stored per SYN.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "native/flow/siphash.hh"
#include "native/wire/seqnum.hh"

namespace qstack {

/// What of the peer's options fits into our TSval.
struct CookieOptions {
  uint8_t window_scale = 0;
  bool has_window_scale = false;
  bool sack_permitted = false;
  bool ecn = false;
  friend bool operator==(const CookieOptions&, const CookieOptions&) = default;
};

class SynCookies {
 public:
  static constexpr uint32_t kLifeMs = 1u << 16;
  /// What peers announce: the smallest that we take, the default, IPv6's minimum, tunnels, PPPoE, Ethernet, jumbo frames.
  static constexpr std::array<uint16_t, 8> kMss = {64, 536, 1220, 1360, 1400, 1440, 1460, 8960};

  explicit SynCookies(const std::array<uint64_t, 4>& secret) : secret_(secret) {}

  Seq make(uint64_t flow_hash, Seq irs, uint16_t mss, uint32_t now_ms) const {
    const uint32_t epoch = now_ms / kLifeMs;
    uint32_t index = 0;
    while (index + 1 < kMss.size() && kMss[index + 1] <= mss) ++index;
    return cookie(flow_hash, irs, epoch, index);
  }

  /// The MSS to use, or nothing: `iss` is no cookie of ours, or one that has died.
  std::optional<uint16_t> check(uint64_t flow_hash, Seq irs, Seq iss, uint32_t now_ms) const {
    uint32_t epoch = now_ms / kLifeMs;
    if ((epoch & 1) != (iss >> 3 & 1)) epoch = (epoch - 1) % (UINT32_MAX / kLifeMs + 1);
    const uint32_t index = iss & 7;
    if (cookie(flow_hash, irs, epoch, index) != iss) return std::nullopt;
    return kMss[index];
  }

  /// The options in the lowest bits of a TSval that is not later than `now`, so that later ones never seem to go back.
  static uint32_t write_options(uint32_t now, const CookieOptions& o) {
    const uint32_t bits = (o.has_window_scale ? o.window_scale : kNoScale) | (o.sack_permitted ? kSack : 0) | (o.ecn ? kEcn : 0);
    const uint32_t value = (now & ~kOptionBits) | bits;
    return value - now - 1 < kOptionBits ? value - (kOptionBits + 1) : value;
  }

  static CookieOptions read_options(uint32_t ts_echo) {
    const uint8_t scale = ts_echo & kNoScale;
    const bool scaled = scale <= 14;
    return {scaled ? scale : uint8_t{0}, scaled, (ts_echo & kSack) != 0, (ts_echo & kEcn) != 0};
  }

 private:
  static constexpr uint32_t kOptionBits = 63, kNoScale = 15, kSack = 16, kEcn = 32;

  Seq cookie(uint64_t flow_hash, Seq irs, uint32_t epoch, uint32_t index) const {
    const uint64_t key = siphash(secret_[0], secret_[2], epoch, kPurpose);
    const uint64_t mac = siphash(key, secret_[3], flow_hash, (uint64_t{index} << 32) | irs);
    return (static_cast<Seq>(mac) & ~15u) | (epoch & 1) << 3 | index;
  }

  /// Keeps the secrets apart from other uses of the same words.
  static constexpr uint64_t kPurpose = 0x53594e;

  std::array<uint64_t, 4> secret_;
};

}  // namespace qstack
