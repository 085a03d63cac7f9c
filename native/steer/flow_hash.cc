#include "native/steer/flow_hash.hh"

#include <bit>

#include "native/flow/siphash.hh"
#include "native/steer/flow_groups.hh"

namespace qstack {

namespace {

/// Keeps the secret apart from other uses of the same words.
constexpr uint64_t kPurpose = 0x525353;

/// 32 bits of the key from bit `first` on, the highest bit of byte 0 being the first.
uint32_t window(const RssKey& key, uint32_t first) {
  uint64_t bits = 0;
  for (uint32_t i = 0; i < 5; ++i) bits = bits << 8 | key[first / 8 + i];
  return static_cast<uint32_t>(bits >> (8 - first % 8));
}

/// Input bits from which our own port is chosen, its lowest; the port is the last of what is hashed, for both families.
constexpr uint32_t kChosenBits = 14, kOwnPortEnds[] = {96, 288};

/// Whether any flow comes to each group by the choice of these bits: what they add to a group's number has full rank.
bool reaches_every_group(const RssKey& key, uint32_t first) {
  constexpr uint32_t kBits = std::bit_width(FlowGroups::kGroups - 1);
  std::array<uint32_t, kBits> basis{};
  uint32_t rank = 0;
  for (uint32_t i = 0; i < kChosenBits; ++i) {
    uint32_t sum = FlowGroups::group_of(window(key, first + i));
    while (sum != 0 && basis[std::bit_width(sum) - 1] != 0) sum ^= basis[std::bit_width(sum) - 1];
    if (sum == 0) continue;
    basis[std::bit_width(sum) - 1] = sum;
    ++rank;
  }
  return rank == kBits;
}

bool gives_every_stack_ports(const RssKey& key) {
  for (const uint32_t end : kOwnPortEnds) {
    if (!reaches_every_group(key, end - kChosenBits)) return false;
  }
  return true;
}

RssKey draw_key(const std::array<uint64_t, 4>& secret, uint32_t draw) {
  RssKey key;
  for (uint32_t at = 0; at < key.size(); at += 8) {
    const uint64_t word = siphash(secret[0] ^ secret[1], secret[2] ^ secret[3], kPurpose, uint64_t{draw} << 32 | at);
    std::memcpy(key.data() + at, &word, 8);
  }
  return key;
}

}  // namespace

/// One key in sixty would leave groups without a port of ours, and one in some thousands the second of two stacks.
RssKey rss_key(const std::array<uint64_t, 4>& secret) {
  uint32_t draw = 0;
  RssKey key = draw_key(secret, draw);
  while (!gives_every_stack_ports(key)) key = draw_key(secret, ++draw);
  return key;
}

FlowHash::FlowHash(const RssKey& key) {
  for (uint32_t nibble = 0; nibble < nibbles_.size(); ++nibble) {
    for (uint32_t value = 0; value < 16; ++value) {
      uint32_t sum = 0;
      for (uint32_t bit = 0; bit < 4; ++bit) sum ^= (value & (8u >> bit)) == 0 ? 0 : window(key, 4 * nibble + bit);
      nibbles_[nibble][value] = sum;
    }
  }
}

uint32_t FlowHash::flow(const IpAddress& source, uint16_t source_port, const IpAddress& destination,
                        uint16_t destination_port) const {
  uint8_t addresses[32], ports[4];
  store_be16(ports, source_port);
  store_be16(ports + 2, destination_port);
  if (source.is_ipv4()) {
    store_be32(addresses, source.ipv4());
    store_be32(addresses + 4, destination.ipv4());
    return flow<4>(addresses, ports);
  }
  store_ipv6(addresses, source);
  store_ipv6(addresses + 16, destination);
  return flow<16>(addresses, ports);
}

}  // namespace qstack
