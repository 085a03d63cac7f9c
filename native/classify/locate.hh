// Finds the headers of a frame before anything checks them, so that a frame can be judged as the stack will judge it.
//
// In: data and length, any bytes. Out: l3, l4, payload, payload_length, inside `length` whatever the bytes say, and
// length cut to the end of the IP packet (the rest is padding); offsets are 0 and length stays where the frame is not
// IPv4 or IPv6 with TCP, or is a fragment. A VLAN tag is taken off first, as the stack does: data moves on by its four
// bytes, and the tag is kept beside it. Nothing is verified here (native/ip and native/tcp do that): a wrong checksum costs its frame the wrong place in
// a queue and nothing more.
#pragma once

#include "native/mempool/packet.hh"

namespace qstack {

/// True: it is a TCP segment and the offsets are set.
bool locate_tcp(Packet& packet);

/// Where the payload of a TCP segment starts whose l4 and length are known. A data offset that lies leaves no payload.
void locate_payload(Packet& packet);

}  // namespace qstack
