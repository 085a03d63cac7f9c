// SegmentView: a frame read as a TCP segment between two hosts of the simulation.
//
// In: a frame as a stack sent it. Out: who sent it to whom, its header, where its bytes are. read_segment also says
// whether what left the stack is well formed: lengths, both checksums, our own addresses.
#pragma once

#include "native/sim/frame.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/tcp.hh"

namespace qstack::sim {

/// Host n is 10.0.0.(n + 1), fd00::(n + 1), with a MAC that ends in n + 1.
inline constexpr uint32_t kFirstIpv4 = 0x0a000001;
inline constexpr uint64_t kPrefixIpv6 = 0xfd00ull << 48;
inline uint32_t ipv4_of(uint32_t host) { return kFirstIpv4 + host; }
inline IpAddress ipv6_of(uint32_t host) { return {kPrefixIpv6, uint64_t{host} + 1}; }
inline MacAddress mac_of(uint32_t host) { return {2, 0, 0, 0, 0, static_cast<uint8_t>(host + 1)}; }

struct SegmentView {
  uint8_t from, to;
  bool ipv6;
  uint16_t ip_length;
  uint8_t* tcp;
  uint16_t tcp_length;
  TcpSegment header;
  const uint8_t* payload() const { return tcp + header.header_length; }
  uint64_t pseudo() const {
    return ipv6 ? checksum_pseudo(ipv6_of(from), ipv6_of(to), kProtocolTcp, tcp_length)
                : checksum_pseudo(ipv4_of(from), ipv4_of(to), kProtocolTcp, tcp_length);
  }
};

enum class Reading : uint8_t { segment, other, malformed };

/// `bytes` may be changed through the view.
Reading read_segment(uint8_t* bytes, uint16_t length, SegmentView& out);

/// More payload behind what there is; `bytes` are those of the frame. The checksum of TCP is wrong after it.
void grow(uint8_t* bytes, SegmentView& segment, uint16_t by);

/// Make the checksum right again after a change.
void repair_ipv4(uint8_t* ip);
void repair_checksum(const SegmentView& segment);

}  // namespace qstack::sim
