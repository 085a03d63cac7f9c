#include "native/wire/ipv6.hh"

namespace qstack {
namespace {

constexpr int kHeadersMax = 8;
/// Options in one header: more of them cost work that no honest sender asks for (RFC 8504 5.3 lets a host set a bound).
constexpr int kOptionsMax = 16;

/// RFC 8200 4.2: what the two high bits of an unknown option's type ask for.
Ipv6Fault fault_of_option(uint8_t type) {
  switch (type >> 6) {
    case 0:
      return Ipv6Fault::none;
    case 1:
      return Ipv6Fault::discard;
    case 2:
      return Ipv6Fault::unknown_option;
    default:
      return Ipv6Fault::unknown_option_unicast;
  }
}

/// Options of a hop-by-hop or destination header between `from` and `end`; none but padding is known to us.
Ipv6Fault check_options(const uint8_t* at, uint16_t from, uint16_t end, uint16_t& pointer) {
  int options = 0;
  while (from < end) {
    if (at[from] == 0) {  // Pad1
      ++from;
      continue;
    }
    if (from + 2 > end || from + 2 + at[from + 1] > end || ++options > kOptionsMax) return Ipv6Fault::malformed;
    pointer = from;
    const bool padding = at[from] == 1;
    const Ipv6Fault fault = padding ? Ipv6Fault::none : fault_of_option(at[from]);
    if (fault != Ipv6Fault::none) return fault;
    from = static_cast<uint16_t>(from + 2 + at[from + 1]);
  }
  return Ipv6Fault::none;
}

/// RFC 8200 4.4 and RFC 5095: a route that still has somewhere to go does not end with us.
Ipv6Fault check_route(const uint8_t* at, uint16_t from, uint16_t& pointer) {
  pointer = static_cast<uint16_t>(from + 2);
  return at[from + 3] == 0 ? Ipv6Fault::none : Ipv6Fault::bad_header;
}

bool is_extension(uint8_t next) {
  return next == kProtocolHopByHop || next == kProtocolRouting || next == kProtocolDestination;
}

}  // namespace

bool parse_ipv6(const uint8_t* at, uint16_t length, Ipv6Header& out) {
  if (length < kIpv6Header || (at[0] >> 4) != 6) return false;
  const uint32_t total = uint32_t{kIpv6Header} + load_be16(at + 4);
  if (total > length) return false;
  out.total_length = static_cast<uint16_t>(total);
  out.next_header = at[6];
  out.hop_limit = at[7];
  out.source = load_ipv6(at + 8);
  out.destination = load_ipv6(at + 24);
  return true;
}

Ipv6Chain walk_ipv6(const uint8_t* at, uint16_t length, uint8_t next_header) {
  Ipv6Chain chain{.protocol = next_header, .l4 = kIpv6Header, .next_header_at = 6};
  for (int headers = 0; is_extension(chain.protocol); ++headers) {
    // RFC 8200 4.3: hop-by-hop options stand first or nowhere.
    if (chain.protocol == kProtocolHopByHop && headers != 0) {
      chain.pointer = chain.next_header_at;
      chain.fault = Ipv6Fault::unknown_next_header;
      return chain;
    }
    chain.fault = Ipv6Fault::malformed;
    if (headers == kHeadersMax || chain.l4 + 8 > length) return chain;
    const uint32_t end = chain.l4 + 8u * (at[chain.l4 + 1] + 1u);
    if (end > length) return chain;
    chain.fault = chain.protocol == kProtocolRouting
                      ? check_route(at, chain.l4, chain.pointer)
                      : check_options(at, static_cast<uint16_t>(chain.l4 + 2), static_cast<uint16_t>(end), chain.pointer);
    if (chain.fault != Ipv6Fault::none) return chain;
    chain.next_header_at = chain.l4;
    chain.protocol = at[chain.l4];
    chain.l4 = static_cast<uint16_t>(end);
  }
  if (chain.protocol != kProtocolFragment) return chain;
  if (chain.l4 + kIpv6FragmentHeader > length) {
    chain.fault = Ipv6Fault::malformed;
    return chain;
  }
  chain.fragment_header = chain.l4;
  chain.before_fragment = chain.next_header_at;
  chain.next_header_at = chain.l4;
  chain.protocol = at[chain.l4];
  chain.l4 = static_cast<uint16_t>(chain.l4 + kIpv6FragmentHeader);
  return chain;
}

}  // namespace qstack
