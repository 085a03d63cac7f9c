// ARP for IPv4 over Ethernet (RFC 826): 28 bytes behind the Ethernet header.
//
// In: bytes from the wire, any bytes. Out: values, addresses in host order. Other hardware or protocol types are
// refused.
#pragma once

#include "native/wire/ethernet.hh"

namespace qstack {

inline constexpr uint16_t kArpLength = 28;

enum class ArpOperation : uint16_t { request = 1, reply = 2 };

struct ArpPacket {
  ArpOperation operation;
  MacAddress sender_mac;
  uint32_t sender;
  MacAddress target_mac;
  uint32_t target;
};

/// False: too short, not Ethernet and IPv4, or an operation that RFC 826 does not know.
inline bool parse_arp(const uint8_t* at, uint16_t length, ArpPacket& out) {
  constexpr uint64_t kEthernetIpv4 = 0x0001'0800'0604;
  if (length < kArpLength) return false;
  if (((uint64_t{load_be32(at)} << 16) | load_be16(at + 4)) != kEthernetIpv4) return false;
  const uint16_t operation = load_be16(at + 6);
  if (operation != 1 && operation != 2) return false;
  out.operation = static_cast<ArpOperation>(operation);
  out.sender_mac = load_mac(at + 8);
  out.sender = load_be32(at + 14);
  out.target_mac = load_mac(at + 18);
  out.target = load_be32(at + 24);
  return true;
}

inline void write_arp(uint8_t* at, const ArpPacket& arp) {
  store_be32(at, 0x0001'0800);
  store_be16(at + 4, 0x0604);
  store_be16(at + 6, static_cast<uint16_t>(arp.operation));
  store_mac(at + 8, arp.sender_mac);
  store_be32(at + 14, arp.sender);
  store_mac(at + 18, arp.target_mac);
  store_be32(at + 24, arp.target);
}

}  // namespace qstack
