// Addresses in scripts: who talks to whom when a line does not say, and how IPv4 addresses are read and written.
//
// The stack has 10.0.0.1/24 and fd00::1/64, its peers come from 10.0.0.2 and fd00::2; all stations have static neighbour
// lines, so that no ARP or NDP comes between two segments.
#pragma once

#include <cstdio>
#include <optional>
#include <string>

#include "native/tcp/app.hh"

namespace qstack::script {

inline constexpr uint32_t kStackIpv4 = 0x0a000001, kPeerIpv4 = 0x0a000002;
inline constexpr IpAddress kStackIpv6{0xfd00'0000'0000'0000, 1}, kPeerIpv6{0xfd00'0000'0000'0000, 2};
/// Peers with static neighbour lines, from the first one on.
inline constexpr uint32_t kPeers = 200;
inline constexpr uint16_t kPeerPort = 5'000, kListenPort = 80, kRemoteListenPort = 8'080;

/// `10.0.0.3:5001`, `10.0.0.3` (port 0) or `:5001` (no address).
inline std::optional<Endpoint> read_endpoint(const std::string& text) {
  unsigned a = 0, b = 0, c = 0, d = 0, port = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), ":%u%n", &port, &end) == 1 && end == static_cast<int>(text.size()) && port < 65'536) {
    return Endpoint{{}, static_cast<uint16_t>(port)};
  }
  end = 0;
  const int count = std::sscanf(text.c_str(), "%u.%u.%u.%u%n:%u%n", &a, &b, &c, &d, &end, &port, &end);
  const bool whole = count >= 4 && end == static_cast<int>(text.size());
  if (!whole || (a | b | c | d) > 255 || port > 65'535) return {};
  return Endpoint{IpAddress(a << 24 | b << 16 | c << 8 | d), static_cast<uint16_t>(port)};
}

inline std::string write_endpoint(const Endpoint& endpoint) {
  const std::string port = ":" + std::to_string(endpoint.port);
  if (!endpoint.address.is_ipv4()) return port;
  const uint32_t address = endpoint.address.ipv4();
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += std::to_string(address >> shift & 255) + (shift == 0 ? "" : ".");
  return text + port;
}

}  // namespace qstack::script
