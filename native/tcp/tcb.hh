// Control blocks: what TCP keeps per connection, and for how long.
//
//   Tcb       128 B   from the third segment of the handshake until the connection is closed; two cache lines, the first
//                     of which is all that an in-order data segment or an ACK needs
//   Busy      192 B   only while bytes are in flight, queued, unread, out of order, or a close is under way
//   HalfOpen   64 B   from SYN to the third segment (passive open)
//   TimeWait   64 B   2 MSL after the close
//
// Sequence variables have their names of RFC 9293 3.3.1. Times: `_ms`, `_us` are the engine's u32 clocks (they wrap).
#pragma once

#include <cstdint>

#include "native/flow/flow_key.hh"
#include "native/mempool/packet_queue.hh"
#include "native/tcp/app.hh"
#include "native/tcp/congestion.hh"
#include "native/tcp/timer_wheel.hh"
#include "native/wire/seqnum.hh"

namespace qstack {

/// LISTEN is a listener, TIME-WAIT a record of its own, and so is SYN-RECEIVED after a passive open.
enum class TcpState : uint8_t {
  closed,
  syn_sent,
  syn_received,  ///< simultaneous open
  established,
  fin_wait_1,
  fin_wait_2,
  close_wait,
  closing,
  last_ack,
};

enum TcbFlag : uint16_t {
  kTimestamps = 1 << 0,     ///< both sides sent the option (RFC 7323 3.2)
  kSackPermitted = 1 << 1,
  kAckNow = 1 << 2,         ///< in the list of ACKs that leave at the end of the turn
  kAckDelayed = 1 << 3,     ///< ack_deadline_ms is set
  kFinQueued = 1 << 4,      ///< FIN follows what is queued
  kFinSent = 1 << 5,        ///< snd_nxt counts the FIN
  kFinReceived = 1 << 6,    ///< rcv_nxt counts the peer's FIN
  kAppClosed = 1 << 7,      ///< the app will not read any more
  kAttention = 1 << 8,      ///< in the list of connections that are looked at again next turn
  kEndedDue = 1 << 9,       ///< App::ended was refused, offer it again
  kClosedDue = 1 << 10,     ///< App::closed was refused, offer it again; the slot is dead otherwise
  kTimerArmed = 1 << 11,    ///< the wheel holds the node
  kOutputDue = 1 << 12,     ///< the TX queue was full, send on next turn
  kActiveOpen = 1 << 13,
  kWindowScaled = 1 << 14,  ///< both sides sent the option (RFC 7323 2.2)
};

struct alignas(64) Tcb {
  // Line 1: every segment.
  FlowKey key;
  uint32_t generation;
  Seq snd_una;
  Seq snd_nxt;
  uint32_t snd_wnd;  ///< bytes, scaled
  Seq rcv_nxt;
  Seq rcv_adv;       ///< right edge of the window that we advertised
  uint32_t ts_recent;
  uint32_t busy;     ///< slot of the Busy block, or kNoIndex
  uint32_t last_active_ms;
  uint16_t flags;
  uint16_t mss;      ///< largest payload of a segment that we send, options taken off
  TcpState state;
  uint8_t scales;    ///< snd_wscale | rcv_wscale << 4
  uint8_t segments_unacked;  ///< data segments received since our last ACK
  uint8_t close_reason;
  uint16_t profile;  ///< number of the ListenerConfig that applies
  uint16_t stream_level;  ///< of a stream's bytes, plus 1; 0: none have come yet
  uint16_t challenged;    ///< when the last challenge ACK left, in units of 32 ms (RFC 5961 7)
  // Line 2: ACKs that move snd_una, timers, control.
  alignas(64) TimerNode timer;
  uint32_t link;     ///< SlotPool's while free
  Seq snd_wl1;
  Seq snd_wl2;
  Seq last_ack_sent;
  uint32_t srtt_us;  ///< 0: none measured yet
  uint32_t rttvar_us;
  uint32_t ssthresh;
  uint32_t max_snd_wnd;  ///< largest window that the peer has offered (RFC 5961 5.2)
  uint32_t neighbor;
  uint32_t ts_offset;  ///< our TSval = clock in ms + this (RFC 7323 5.4)
  uint32_t ts_recent_ms;
  uint32_t ack_deadline_ms;
  uint8_t snd_wscale() const { return scales & 15; }
  uint8_t rcv_wscale() const { return scales >> 4; }
  bool has(TcbFlag flag) const { return flags & flag; }
  void set(TcbFlag flag) { flags |= flag; }
  void clear(TcbFlag flag) { flags &= static_cast<uint16_t>(~flag); }
  /// Before ESTABLISHED, in an active open.
  bool opening() const { return state == TcpState::syn_sent || state == TcpState::syn_received; }
};
static_assert(sizeof(Tcb) == 128);

/// What a sent segment is known to be; in Packet::tx_flags.
enum TxFlag : uint8_t {
  kTxSacked = 1,         ///< the peer reported it by SACK
  kTxLost = 2,           ///< taken as lost and not sent again yet
  kTxRetransmitted = 4,  ///< sent again in this recovery
  kTxMessageEnd = 8,     ///< last segment of its message
};

enum class RecoveryKind : uint8_t { none, fast, timeout };

struct alignas(64) Busy {
  // Sending.
  PacketQueue unsent[kLevelsMax];  ///< per level, in the order of send()
  PacketQueue retransmit;          ///< sent and not acknowledged, in sequence order
  uint32_t unsent_bytes;
  uint32_t sacked_bytes;  ///< of retransmit
  uint32_t lost_bytes;    ///< of retransmit: lost and not sent again
  uint32_t rto_us;
  uint32_t rto_deadline_ms;  ///< 0: not running. Also: persist, FIN-WAIT-2 and SYN timers, they exclude each other
  uint32_t drains;           ///< first DrainRequest, or kNoIndex
  Seq recover;               ///< snd_nxt when recovery began (RFC 6582)
  Seq highest_sacked;
  CongestionState congestion;  ///< 32 B
  uint8_t retries;
  uint8_t duplicate_acks;
  RecoveryKind recovery;
  uint8_t unsent_levels;  ///< bit per level that has something unsent
  uint8_t open_level;     ///< level whose message is half sent, or kLevelsMax
  bool persisting;        ///< rto_deadline_ms is the zero-window probe
  bool fin_out_of_order;  ///< fin_seq is set
  // Receiving.
  uint8_t frame_level;       ///< level of the message that is being put together
  uint16_t frame_fill;       ///< its bytes so far
  uint32_t link;             ///< SlotPool's
  Packet* out_of_order;      ///< by sequence, no overlaps, null-terminated
  Packet* frame;             ///< fixed framing: a message that began in an earlier segment
  uint32_t out_of_order_count;
  uint32_t unread;           ///< stream framing: bytes handed over and not released
  Seq fin_seq;
  Seq latest_out_of_order;   ///< where the newest block began: first in SACK (RFC 2018 4)
  uint64_t token;            ///< of connect(), until opened
};
static_assert(sizeof(Busy) == 192);

/// Somebody waits until not more than `low_water` bytes of a connection are unacknowledged.
struct DrainRequest {
  uint32_t low_water;
  uint32_t cookie;
  uint32_t link;
};

struct alignas(64) HalfOpen {
  FlowKey key;
  uint32_t link;
  uint32_t previous;
  Seq iss;
  Seq irs;
  uint32_t ts_recent;
  uint32_t deadline_ms;
  uint32_t snd_wnd;
  uint32_t sent_us;     ///< first SYN-ACK: the handshake gives the first RTT sample
  uint16_t mss;
  uint16_t profile;
  uint16_t flags;       ///< TcbFlag
  uint8_t scales;
  uint8_t retries;
  uint16_t challenged;
};
static_assert(sizeof(HalfOpen) == 64);

struct alignas(64) TimeWait {
  FlowKey key;
  uint32_t link;
  uint32_t previous;
  Seq snd_nxt;
  Seq rcv_nxt;
  uint32_t ts_recent;
  uint32_t ts_offset;
  uint32_t deadline_ms;
  uint32_t neighbor;
  uint16_t flags;
  uint16_t window;  ///< as on the wire
  uint16_t challenged;
};
static_assert(sizeof(TimeWait) == 64);

}  // namespace qstack
