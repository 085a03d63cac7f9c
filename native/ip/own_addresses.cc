#include "native/ip/own_addresses.hh"

#include "native/mempool/packet.hh"

namespace qstack {
namespace {

uint32_t prefix_mask(uint8_t length) { return length == 0 ? 0 : ~0u << (32 - length); }

}  // namespace

OwnAddresses::OwnAddresses(const IpConfig& config)
    : ipv4_(config.address),
      ipv4_count_(config.address == 0 ? 0 : config.address_count),
      mask_(prefix_mask(config.prefix_length)),
      ipv6_(config.ipv6),
      link_local_(link_local_of(config.mac)),
      tentative_(ipv6_.enabled() && ipv6_.dad_transmits > 0) {}

bool OwnAddresses::configured(const IpAddress& address) const {
  if (!has_ipv6()) return false;
  const uint32_t index = checked_index(address);
  if (index != kNoIndex) return (given_up_ >> index & 1) == 0;
  return distance(ipv6_.address, address) < ipv6_.address_count;
}

uint32_t OwnAddresses::checked_index(const IpAddress& address) const {
  if (address == link_local_) return 0;
  const uint32_t step = distance(ipv6_.address, address);
  return step < checked() - 1 ? step + 1 : kNoIndex;
}

void OwnAddresses::give_up(uint32_t index) {
  given_up_ |= uint64_t{1} << index;
  if (index == 0) ipv6_off_ = true;
}

bool OwnAddresses::member(const IpAddress& group) const {
  if (!has_ipv6()) return false;
  if (group == kAllNodes || group == solicited_node(link_local_)) return true;
  if (group.high != kAllNodes.high || (group.low ^ 0x0000'0001'ff00'0000) >> 24 != 0) return false;
  const uint32_t step = static_cast<uint32_t>(group.low - ipv6_.address.low) & 0xff'ffff;
  return step < ipv6_.address_count;
}

bool OwnAddresses::connected(const IpAddress& address) const {
  if (address.is_ipv4()) return ipv4_count_ != 0 && connected(address.ipv4());
  return has_ipv6() && (address.link_local() || same_prefix(address, ipv6_.address, ipv6_.prefix_length));
}

IpAddress OwnAddresses::source_for(const IpAddress& remote) const {
  if (remote.is_ipv4()) return ipv4_;
  if (!has_ipv6()) return {};
  return remote.link_local() ? link_local_ : ipv6_.address;
}

}  // namespace qstack
