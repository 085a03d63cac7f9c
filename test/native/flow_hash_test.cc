// FlowHash against the vectors of "Verifying the RSS hash calculation", and FlowGroups.
#include "native/steer/flow_hash.hh"

#include <doctest/doctest.h>

#include <algorithm>

#include "native/steer/flow_groups.hh"
#include "native/steer/flow_steering.hh"

using namespace qstack;

namespace {

constexpr RssKey kMicrosoftKey = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
                                  0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
                                  0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct Vector {
  IpAddress destination;
  uint16_t destination_port;
  IpAddress source;
  uint16_t source_port;
  uint32_t pair, flow;
};

constexpr uint32_t ipv4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }

const Vector kIpv4[] = {
    {ipv4(161, 142, 100, 80), 1766, ipv4(66, 9, 149, 187), 2794, 0x323e8fc2, 0x51ccc178},
    {ipv4(65, 69, 140, 83), 4739, ipv4(199, 92, 111, 2), 14230, 0xd718262a, 0xc626b0ea},
    {ipv4(12, 22, 207, 184), 38024, ipv4(24, 19, 198, 95), 12898, 0xd2d0a5de, 0x5c2b394a},
    {ipv4(209, 142, 163, 6), 2217, ipv4(38, 27, 205, 30), 48228, 0x82989176, 0xafc7327f},
    {ipv4(202, 188, 127, 2), 1303, ipv4(153, 39, 163, 191), 44251, 0x5d1809c5, 0x10e828a2},
};
const Vector kIpv6[] = {
    {{0x3ffe'2501'0200'0003, 1}, 1766, {0x3ffe'2501'0200'1fff, 7}, 2794, 0x2cc18cd5, 0x40207d3d},
    {{0xff02'0000'0000'0000, 1}, 4739, {0x3ffe'0501'0008'0000, 0x0260'97ff'fe40'efab}, 14230, 0x0f0c461c, 0xdde51bbf},
    {{0xfe80'0000'0000'0000, 0x0200'f8ff'fe21'67cf}, 38024, {0x3ffe'1900'4545'0003, 0x0200'f8ff'fe21'67cf}, 44251,
     0x4b61e985, 0x02d1feef},
};

void store(uint8_t* at, const IpAddress& address, uint32_t width) {
  if (width == 4) {
    store_be32(at, address.ipv4());
  } else {
    store_ipv6(at, address);
  }
}

template <uint32_t width>
void check(const Vector& v) {
  const FlowHash hash(kMicrosoftKey);
  uint8_t addresses[32], ports[4];
  store(addresses, v.source, width);
  store(addresses + width, v.destination, width);
  store_be16(ports, v.source_port);
  store_be16(ports + 2, v.destination_port);
  CHECK(hash.pair<width>(addresses) == v.pair);
  CHECK(hash.flow<width>(addresses, ports) == v.flow);
  CHECK(hash.flow(v.source, v.source_port, v.destination, v.destination_port) == v.flow);
  CHECK(hash.flow(v.destination, v.destination_port, v.source, v.source_port) != v.flow);
  CHECK(hash.answer<width>(addresses, ports) ==
        hash.flow(v.destination, v.destination_port, v.source, v.source_port));
}

}  // namespace

TEST_CASE("RSS: the published hashes of IPv4 addresses, with and without TCP ports") {
  for (const Vector& vector : kIpv4) check<4>(vector);
}

TEST_CASE("RSS: the published hashes of IPv6 addresses, with and without TCP ports") {
  for (const Vector& vector : kIpv6) check<16>(vector);
}

TEST_CASE("a key follows its secret, and spreads the ports of one peer over all groups") {
  const RssKey key = rss_key({1, 2, 3, 4});
  CHECK(key == rss_key({1, 2, 3, 4}));
  CHECK(key != rss_key({1, 2, 3, 5}));
  const FlowHash hash(key);
  std::array<uint32_t, FlowGroups::kGroups> flows{};
  for (uint32_t port = 1'024; port < 65'536; ++port) {
    ++flows[FlowGroups::group_of(hash.flow(ipv4(10, 0, 0, 2), static_cast<uint16_t>(port), ipv4(10, 0, 0, 1), 80))];
  }
  const uint32_t even = (65'536 - 1'024) / FlowGroups::kGroups;
  CHECK(*std::min_element(flows.begin(), flows.end()) > even / 2);
  CHECK(*std::max_element(flows.begin(), flows.end()) < even * 2);
}

TEST_CASE("whatever the secret, ports of ours bring the flows of every peer to every group") {
  const IpAddress families[2][2] = {{ipv4(10, 0, 0, 2), ipv4(10, 0, 0, 1)}, {{0xfd00'0000'0000'0000, 2}, {0xfd00'0000'0000'0000, 1}}};
  for (uint64_t secret = 0; secret < 300; ++secret) {
    const FlowHash hash(rss_key({secret, 2, 3, 4}));
    for (const auto& [peer, own] : families) {
      std::array<bool, FlowGroups::kGroups> reached{};
      for (uint32_t port = 32'768; port < 32'768 + 16'384; ++port) {
        reached[FlowGroups::group_of(hash.flow(peer, 443, own, static_cast<uint16_t>(port)))] = true;
      }
      CHECK(std::count(reached.begin(), reached.end(), true) == FlowGroups::kGroups);
    }
  }
}

TEST_CASE("whatever the secret, two stacks share the ports of a client that follow each other, and the groups") {
  uint32_t one_sided = 0;
  for (uint64_t secret = 0; secret < 1'000; ++secret) {
    const FlowSteering steering({secret, 2, 3, 4}, 2);
    uint32_t second = 0, groups = 0;
    for (uint16_t port = 40'000; port < 40'032; ++port) {
      second += steering.stack_of(ipv4(10, 0, 0, 2), port, ipv4(10, 0, 0, 1), 80);
    }
    for (uint32_t group = 0; group < FlowGroups::kGroups; ++group) groups += steering.groups.stack_of(group);
    one_sided += second == 0 || second == 32;
    CHECK(groups == FlowGroups::kGroups / 2);
  }
  CHECK(one_sided <= 2);
}

TEST_CASE("groups are dealt out in turn, and one is given to another stack as a whole") {
  FlowGroups groups(3);
  for (uint32_t hash = 0; hash < 1'000; ++hash) CHECK(groups.stack_of(hash) == hash % 128 % 3);
  groups.assign(5, 0);
  CHECK(groups.stack_of(5) == 0);
  CHECK(groups.stack_of(5 + 128 * 77) == 0);
  CHECK(groups.stack_of(8) == 2);
}
