// PacketRegion and PacketPool: the memory that frames live in.
//
//   region.base ──▶ ┌────────────── stride ───────────────┐┌──────────
//                   │ prefix │ Packet 64 B │ headroom │ room ││ prefix …
//                   └────────────────────────────────────┘└──────────
//                     (port's private header, e.g. rte_mbuf; may be 0)
//
// Every packet of a stack (RX and TX pool) lies in one region at index * stride, so a u32 index names it in
// ring records and JavaScript reaches its bytes by an offset into the arena. A pool is used by one thread.
#pragma once

#include <cstdint>

#include "native/mempool/packet.hh"

namespace qstack {

/// Bytes kept free before a payload: Ethernet 14 + VLAN 4 + IPv4/IPv6 40 + TCP 60, rounded up.
inline constexpr uint32_t kHeadroom = 128;
/// Payload room behind the headroom: a 1500 B IP packet fits, and so does every message of a framed listener.
inline constexpr uint32_t kRoom = 1664;

struct PacketRegion {
  uint8_t* base = nullptr;   ///< address of element 0
  uint32_t stride = 0;       ///< bytes from element to element
  uint32_t packet_at = 0;    ///< offset of the Packet within an element
  uint32_t count = 0;        ///< elements of all pools in the region

  Packet* at(uint32_t index) const {
    return reinterpret_cast<Packet*>(base + uint64_t{index} * stride + packet_at);
  }
  /// First byte after the Packet: where the headroom starts.
  static uint8_t* buffer(Packet* packet) { return reinterpret_cast<uint8_t*>(packet + 1); }
  /// Where a payload starts that has the full headroom before it.
  static uint8_t* payload_start(Packet* packet) { return buffer(packet) + kHeadroom; }
};

/// The Packet, and what its pool keeps before it (two lines of DPDK's).
inline void prefetch_packet(const Packet* packet) {
  for (int line = -2; line <= 0; ++line) __builtin_prefetch(packet + line);
}

/// Allocates and frees packets of one kind (RX or TX). Free lists are LIFO: the packets in use stay in the processor's caches.
class PacketPool {
 public:
  virtual ~PacketPool() = default;

  /// Fills out[0..n) and returns n, or returns 0 when fewer than n are free. Fields are reset, owner = stack.
  virtual uint32_t allocate(Packet** out, uint32_t n) = 0;
  /// Gives up one reference; with the last one the packet returns to the pool.
  virtual void release(Packet* packet) = 0;
  /// Takes one more reference (a segment that is kept for retransmission while a port sends it).
  virtual void hold(Packet* packet) = 0;
  /// More than one reference: a port may still read the bytes, so they must not be changed.
  virtual bool shared(const Packet* packet) const = 0;

  virtual uint32_t available() const = 0;
  virtual uint32_t capacity() const = 0;

  Packet* allocate() {
    Packet* packet = nullptr;
    return allocate(&packet, 1) == 1 ? packet : nullptr;
  }
};

}  // namespace qstack
