// IcmpError: what an ICMP error says about a TCP segment of ours (RFC 792, RFC 4443, RFC 1122 4.2.3.9).
// Whoever reads it judges by the sequence number whether its sender has seen that segment (RFC 5927 4.1).
#pragma once

#include <cstdint>

#include "native/wire/ip_address.hh"
#include "native/wire/seqnum.hh"

namespace qstack {

struct IcmpError {
  enum class Kind : uint8_t {
    soft,        ///< it may pass: no route now, a hop limit at its end
    refused,     ///< nobody listens there
    prohibited,  ///< no such protocol, or a filter on the way
    too_big,     ///< longer than `mtu`, and not to be fragmented
  };
  Kind kind = Kind::soft;
  IpAddress local, remote;
  uint16_t local_port = 0, remote_port = 0;
  Seq seq = 0;
  uint16_t length = 0;  ///< of the IP packet that it quotes
  uint16_t mtu = 0;     ///< of the next link
};

}  // namespace qstack
