#include "native/node/classify_frame.hh"

#include <algorithm>
#include <vector>

#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"

namespace qstack::node {

namespace {

constexpr uint8_t kProtocolTcp = 6;
constexpr uint16_t kTcpHeaderMin = 20;

/// False: not TCP over IPv4.
bool locate(Packet& packet) {
  if (packet.length < kEthernetHeader + kIpv4Header || load_be16(packet.data + 12) != kEtherTypeIpv4) return false;
  const uint8_t* const ip = packet.data + kEthernetHeader;
  const uint16_t header = static_cast<uint16_t>((ip[0] & 15) * 4);
  const uint16_t total = load_be16(ip + 2);
  if (ip[0] >> 4 != 4 || header < kIpv4Header || ip[9] != kProtocolTcp || total < header + kTcpHeaderMin) return false;
  if (packet.length < kEthernetHeader + total) return false;
  packet.length = static_cast<uint16_t>(kEthernetHeader + total);
  packet.l3 = kEthernetHeader;
  packet.l4 = static_cast<uint16_t>(kEthernetHeader + header);
  const uint16_t tcp = static_cast<uint16_t>((packet.data[packet.l4 + 12] >> 4) * 4);
  packet.payload = std::min<uint16_t>(packet.length, packet.l4 + std::max(tcp, kTcpHeaderMin));
  packet.payload_length = static_cast<uint16_t>(packet.length - packet.payload);
  return true;
}

}  // namespace

uint8_t classify_frame(const Classifier& classifier, std::span<const uint8_t> frame) {
  std::vector<uint8_t> bytes(frame.begin(), frame.begin() + std::min<size_t>(frame.size(), UINT16_MAX));
  Packet packet{};
  packet.data = bytes.data();
  packet.length = static_cast<uint16_t>(bytes.size());
  if (!locate(packet)) packet.l3 = packet.l4 = 0;
  return classifier.classify(packet);
}

}  // namespace qstack::node
