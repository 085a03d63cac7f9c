// FlowHash: the Toeplitz hash of receive side scaling (RSS), the same that network devices compute.
//
// In: a key; addresses and ports as they stand in a received frame, the peer's first. Out: 32 bits, whose lowest name a flow
// group (flow_groups.hh). Invariant: fragments have no ports, so they are hashed by their addresses alone, if at all.
// Read first: Microsoft, "RSS hashing types" and "Verifying the RSS hash calculation".
// The hash is linear: who knows the key can put all his connections into one group. So a stack's key comes from its secret.
#pragma once

#include <array>
#include <cstdint>

#include "native/wire/ip_address.hh"

namespace qstack {

/// As long as devices want it, for two IPv6 addresses and two ports.
using RssKey = std::array<uint8_t, 40>;

/// The key of this start: one by which some port of ours brings a flow to any group, whoever the peer is.
RssKey rss_key(const std::array<uint64_t, 4>& secret);

class FlowHash {
 public:
  explicit FlowHash(const RssKey& key);

  // `width`: bytes of an address, 4 or 16. `addresses`: source and destination behind each other; `ports` as well.

  /// By two addresses.
  template <uint32_t width>
  uint32_t pair(const uint8_t* addresses) const {
    return part<2 * width>(addresses, 0);
  }
  /// By addresses and ports.
  template <uint32_t width>
  uint32_t flow(const uint8_t* addresses, const uint8_t* ports) const {
    return pair<width>(addresses) ^ part<4>(ports, 2 * width);
  }
  /// The hash of frames that answer this one.
  template <uint32_t width>
  uint32_t answer(const uint8_t* addresses, const uint8_t* ports) const {
    return part<width>(addresses + width, 0) ^ part<width>(addresses, width) ^ part<2>(ports + 2, 2 * width) ^
           part<2>(ports, 2 * width + 2);
  }
  /// Of frames from `source` to `destination`, which are of one family.
  uint32_t flow(const IpAddress& source, uint16_t source_port, const IpAddress& destination,
                uint16_t destination_port) const;

 private:
  static constexpr uint32_t kInput = 36;

  /// What `bytes` add to the hash where they are `at` bytes behind its beginning.
  template <uint32_t count>
  uint32_t part(const uint8_t* bytes, uint32_t at) const {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
      sum ^= nibbles_[2 * (at + i)][bytes[i] >> 4] ^ nibbles_[2 * (at + i) + 1][bytes[i] & 15];
    }
    return sum;
  }

  /// By half bytes: a line each, 1.5 KB for IPv4. By whole bytes they would take half of a first-level cache.
  alignas(64) std::array<std::array<uint32_t, 16>, 2 * kInput> nibbles_;
};

}  // namespace qstack
