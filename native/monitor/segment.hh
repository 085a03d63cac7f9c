// Segment: what the monitor knows of one TCP segment that passed on a wire between two others.
//
// In: the first bytes of a frame, any bytes, and how long it was. Out: addresses, ports, numbers and where the payload lies, or
// the reason why there is none. Nothing is verified: a monitor sees frames before a device has filled in checksums, and cut
// ones. Lengths come from the IP header, so that a snapshot of headers and 64 bytes says as much as the whole frame.
#pragma once

#include <span>

#include "native/mempool/packet.hh"
#include "native/wire/ip_address.hh"
#include "native/wire/seqnum.hh"

namespace qstack::monitor {

using Bytes = std::span<const uint8_t>;

struct Segment {
  Nanos time = 0;  ///< when the frame was seen, since the epoch
  IpAddress source, destination;
  uint16_t source_port = 0, destination_port = 0;
  Seq seq = 0, ack = 0;
  uint32_t payload_length = 0;  ///< on the wire
  uint32_t frame_length = 0;    ///< on the wire
  uint16_t payload = 0;         ///< offset of the payload in the frame
  uint16_t captured = 0;        ///< bytes of the frame that are there
  uint8_t flags = 0;

  Seq end() const { return seq + payload_length; }
};

/// What a frame was.
enum class Reading : uint8_t {
  segment,
  other,     ///< not IPv4 or IPv6, not TCP
  fragment,  ///< of an IP packet: a segment may be inside of several, and is not looked for
  cut,       ///< the headers are not all there, or lie about their length
};

/// Up to two VLAN tags are passed over. `frame` holds what was captured of `frame_length` bytes.
Reading read_segment(Bytes frame, uint32_t frame_length, Segment& out);

}  // namespace qstack::monitor
