// The ECN field of the IP header: two bits (RFC 3168 5).
#pragma once

#include <cstdint>

namespace qstack {

inline constexpr uint8_t kEcnNotCapable = 0, kEcnCapable = 2 /* ECT(0) */, kEcnCongestion = 3 /* CE */;

/// Of the header that begins at `ip`, IPv4 or IPv6.
inline uint8_t ecn_of(const uint8_t* ip) { return (ip[0] >> 4 == 4 ? ip[1] : ip[1] >> 4) & 3; }

}  // namespace qstack
