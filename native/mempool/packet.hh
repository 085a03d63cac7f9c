// Packet: one frame and what the stack knows about it, wherever the frame came from.
//
// In: a port fills `data` and `length`. Classify, ip and tcp fill the rest as the packet walks on.
// Out: the same struct carries a frame from tcp to the port. Invariant: a packet has exactly one owner
// (`owner`) and is in exactly one list (`next`). Memory: the Packet lies directly before its headroom,
// see packet_pool.hh for the picture.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qstack {

/// Time in nanoseconds on the monotonic clock that the caller of Stack::turn passes in.
using Nanos = uint64_t;
inline constexpr Nanos kSecond = 1'000'000'000;
/// A stage stamp: Nanos / 64, modulo 2^32 (wraps after 274 s, resolution 64 ns).
using Stamp = uint32_t;
constexpr Stamp to_stamp(Nanos now) { return static_cast<Stamp>(now >> 6); }
/// Of a length of time.
constexpr Nanos to_nanos(Stamp stamps) { return Nanos{stamps} << 6; }

inline constexpr uint32_t kNoIndex = 0xffffffffu;
inline constexpr uint8_t kLevelsMax = 8;

/// Who may touch a packet. Ring records that name a packet of another owner are stale or forged.
enum class PacketOwner : uint8_t {
  pool = 0,   ///< free
  stack = 1,  ///< the stack thread
  app0 = 16,  ///< app thread k is app0 + k
};

/// In Packet::tx_flags of a received segment: one that arrived earlier is handled after it.
inline constexpr uint8_t kRxOvertakes = 0x80;
/// In Packet::tx_flags of a received segment: the window waits until the app has read it (stream framing).
inline constexpr uint8_t kRxUnread = 0x20;
/// In Packet::tx_flags of a frame that waits for the port in our own queue.
inline constexpr uint8_t kTxQueued = 0x40;
/// In Packet::tx_flags of a frame that ends its connection, and so leaves behind what came to the queue before it.
inline constexpr uint8_t kTxCloses = 0x20;

struct alignas(64) Packet {
  uint8_t* data;        ///< first byte of the frame (Ethernet header)
  Packet* next;         ///< the list that the owner keeps it in
  uint16_t length;      ///< bytes of the frame, Ethernet header included, FCS not
  uint16_t l3;          ///< offset of the IP header from data
  uint16_t l4;          ///< offset of the TCP or ICMP header from data
  uint16_t payload;     ///< offset of the TCP payload from data
  uint16_t payload_length;
  uint8_t level;        ///< 0 is the highest; set by the classifier (RX) or the sender (TX)
  PacketOwner owner;
  uint8_t refs;         ///< messages of this frame that an app still holds (RX), see app_rings
  uint8_t tx_flags;     ///< TxFlag bits: what TCP knows about a segment that it sent
  uint16_t tx_count;    ///< times this segment was transmitted
  uint32_t index;       ///< number of this packet in its PacketRegion
  uint32_t sequence;    ///< sequence number of the first payload byte (host order)
  union {
    uint32_t arrival;    ///< RX: running number given at the driver: order on the wire before any reordering of ours
    uint32_t delivered;  ///< TX: bytes that the peer had received when this was sent first
  };
  Stamp rx_stamp;       ///< when the frame was polled; in a reply: of the message that it answers
  Stamp tcp_stamp;      ///< RX: when TCP passed it on; TX: when the app wrote its record, then when it was first transmitted
  uint32_t sent_us;     ///< microseconds clock of the last transmission (RTT, RACK)
  union {
    uint8_t charged;        ///< RX: the level whose budget it counts against while an app holds it
    uint8_t traffic_class;  ///< TX: that byte of the IP header: DSCP and ECN (RFC 2474, RFC 3168 5)
  };
  uint8_t ttl;          ///< TX: TTL or hop limit
  uint32_t tag;         ///< RX: the 802.1Q tag that was taken off, as it stood on the wire (0x8100…); 0: there was none
};
static_assert(sizeof(Packet) == 64);

}  // namespace qstack
