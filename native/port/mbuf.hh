// From an mbuf to its Packet and back: they lie side by side (dpdk_pool.hh). For this room only.
#pragma once

#include <rte_mbuf.h>

#include "native/mempool/packet_pool.hh"

namespace qstack {

static_assert(RTE_PKTMBUF_HEADROOM == kHeadroom, "a received frame starts where a payload starts");

inline Packet* packet_of(rte_mbuf* mbuf) { return reinterpret_cast<Packet*>(mbuf + 1); }
inline rte_mbuf* mbuf_of(Packet* packet) { return reinterpret_cast<rte_mbuf*>(packet) - 1; }
inline const rte_mbuf* mbuf_of(const Packet* packet) { return reinterpret_cast<const rte_mbuf*>(packet) - 1; }

/// A packet that has just come out of its pool, its number kept.
inline void reset_packet(Packet* packet) {
  const uint32_t index = packet->index;
  *packet = Packet{};
  packet->index = index;
  packet->owner = PacketOwner::stack;
  packet->data = PacketRegion::payload_start(packet);
}

}  // namespace qstack
