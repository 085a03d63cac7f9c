// cut_in_two: a segment becomes two fragments, as a router or a tunnel makes them (RFC 791 3.2, RFC 8200 4.5).
#pragma once

#include <cstring>

#include "native/sim/segment_view.hh"

namespace qstack::sim {

/// The first `at` bytes of a TCP segment stay in `frame`, the others go into `rest`. `at` is a multiple of 8 and less than the
/// segment's length; a view of the frame is void after it.
inline void cut_in_two(Frame& frame, Frame& rest, const SegmentView& segment, uint16_t at, uint16_t identification) {
  const auto headers = static_cast<uint16_t>(segment.tcp - frame.bytes);
  const auto behind = static_cast<uint16_t>(segment.tcp_length - at);
  const uint16_t added = segment.ipv6 ? kIpv6FragmentHeader : 0;
  std::memcpy(rest.bytes, frame.bytes, headers);
  std::memcpy(rest.bytes + headers + added, segment.tcp + at, behind);
  std::memmove(segment.tcp + added, segment.tcp, at);
  frame.length = static_cast<uint16_t>(headers + added + at);
  rest.length = static_cast<uint16_t>(headers + added + behind);
  for (Frame* const piece : {&frame, &rest}) {
    uint8_t* const ip = piece->bytes + kEthernetHeader;
    const bool more = piece == &frame;
    const uint16_t offset = more ? 0 : at;
    if (segment.ipv6) {
      ip[6] = kProtocolFragment;
      store_be16(ip + 4, static_cast<uint16_t>(piece->length - headers));
      write_ipv6_piece(ip + kIpv6Header, kProtocolTcp, {identification, offset, more});
    } else {
      change_ipv4(ip, static_cast<uint16_t>(piece->length - kEthernetHeader), {identification, offset, more});
    }
  }
}

}  // namespace qstack::sim
