#include "native/wire/ndp.hh"

namespace qstack {
namespace {

constexpr uint8_t kSourceLinkLayer = 1, kTargetLinkLayer = 2;
constexpr uint16_t kMessage = 24;  ///< type to target address
constexpr uint16_t kRouterMessage = 16;
constexpr uint16_t kOption = 8;  ///< a link-layer address on Ethernet

/// The link-layer address among the options. False: an option that does not fit.
bool read_options(const uint8_t* at, uint16_t length, uint8_t wanted, std::optional<MacAddress>& mac) {
  while (length > 0) {
    if (length < 2) return false;
    const uint32_t size = 8u * at[1];
    if (size == 0 || size > length) return false;
    if (at[0] == wanted && size == kOption && !is_group(load_mac(at + 2))) mac = load_mac(at + 2);
    at += size;
    length = static_cast<uint16_t>(length - size);
  }
  return true;
}

void write_option(uint8_t* at, uint8_t type, const MacAddress& mac) {
  at[0] = type;
  at[1] = 1;
  store_mac(at + 2, mac);
}

}  // namespace

bool parse_neighbor_message(const uint8_t* icmp, uint16_t length, NeighborMessage& out) {
  if (length < kMessage || icmp[1] != 0) return false;
  out = NeighborMessage{};
  out.advertisement = icmp[0] == kNeighborAdvertisement;
  out.router = out.advertisement && (icmp[4] & 0x80) != 0;
  out.solicited = out.advertisement && (icmp[4] & 0x40) != 0;
  out.override_flag = out.advertisement && (icmp[4] & 0x20) != 0;
  out.target = load_ipv6(icmp + 8);
  return read_options(icmp + kMessage, static_cast<uint16_t>(length - kMessage),
                      out.advertisement ? kTargetLinkLayer : kSourceLinkLayer, out.mac);
}

bool parse_router_advertisement(const uint8_t* icmp, uint16_t length, RouterMessage& out) {
  if (length < kRouterMessage || icmp[1] != 0) return false;
  out = RouterMessage{};
  out.lifetime_s = load_be16(icmp + 6);
  return read_options(icmp + kRouterMessage, static_cast<uint16_t>(length - kRouterMessage), kSourceLinkLayer, out.mac);
}

uint16_t write_neighbor_message(uint8_t* icmp, const NeighborMessage& message) {
  store_be32(icmp, message.advertisement ? uint32_t{kNeighborAdvertisement} << 24 : uint32_t{kNeighborSolicitation} << 24);
  store_be32(icmp + 4, (message.router ? 0x8000'0000u : 0) | (message.solicited ? 0x4000'0000u : 0) |
                           (message.override_flag ? 0x2000'0000u : 0));
  store_ipv6(icmp + 8, message.target);
  if (!message.mac) return kMessage;
  write_option(icmp + kMessage, message.advertisement ? kTargetLinkLayer : kSourceLinkLayer, *message.mac);
  return kMessage + kOption;
}

uint16_t write_router_solicitation(uint8_t* icmp, const MacAddress& mac) {
  store_be32(icmp, uint32_t{kRouterSolicitation} << 24);
  store_be32(icmp + 4, 0);
  write_option(icmp + 8, kSourceLinkLayer, mac);
  return 8 + kOption;
}

}  // namespace qstack
