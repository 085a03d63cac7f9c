// Control blocks: what TCP keeps per connection, and for how long.
//
//   Tcb       128 B   from the third segment of the handshake until the connection is closed; two cache lines, the first
//                     of which is all that an in-order data segment or an ACK needs
//   Busy      256 B   only while bytes are in flight, queued, unread, out of order, or a close is under way
//   EarlyRanges 72 B  only while the app has messages that lie behind others which have not come or are not taken
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
#include "native/wire/ecn.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/seqnum.hh"
#include "native/wire/tcp.hh"

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

enum TcbFlag : uint32_t {
  kTimestamps = 1 << 0,     ///< both sides sent the option (RFC 7323 3.2)
  kSackPermitted = 1 << 1,
  kAckNow = 1 << 2,         ///< in the list of ACKs that leave at the end of the turn
  kAckDelayed = 1 << 3,     ///< own_deadline_ms is when it leaves
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
  kEcn = 1 << 15,           ///< both sides can do it (RFC 3168 6.1.1)
  kEceDue = 1 << 16,        ///< our ACKs carry ECE
  kCwrDue = 1 << 17,        ///< the next new segment carries CWR
  kSynRepeated = 1 << 18,   ///< the handshake needed its timer (RFC 6298 5.7)
  kProbing = 1 << 19,       ///< own_deadline_ms is when the next keepalive probe is due
  kLingers = 1 << 20,       ///< own_deadline_ms is when the close becomes a reset
  kSums = 1 << 21,          ///< there are Sums
  kUrgent = 1 << 22,        ///< there is an RCV.UP: the app has not read all that is urgent
  kUrgentDue = 1 << 23,     ///< App::urgent was refused, offer it again
  kOvertaken = 1 << 24,     ///< what seems lost may wait in our own queue: SACK does not tell of a hole yet
  // What a Busy block leaves behind, with everything acknowledged.
  kProbeUndecided = 1 << 28,  ///< tlp_end is snd_una: whether the probe repaired a loss, the next answer tells
  kRecoverKept = 1 << 29,     ///< `recover` is snd_una
  kReduced = 1 << 30,         ///< and the window was cut for what lies before it
};

/// Who may have own_deadline_ms.
inline constexpr uint32_t kOwnDeadline = kAckDelayed | kProbing | kLingers;

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
  uint32_t flags;    ///< TcbFlag
  uint16_t mss;      ///< largest payload of a segment that we send, options taken off
  TcpState state;
  uint8_t scales;    ///< snd_wscale | rcv_wscale << 4
  union {
    uint8_t segments_unacked;  ///< data segments received since our last ACK
    uint8_t keepalives;        ///< with kProbing: probes since the peer was last heard
  };
  uint8_t close_reason;
  uint16_t profile;  ///< number of the Profile that applies
  uint16_t challenged;    ///< when the last challenge ACK left, in units of 32 ms (RFC 5961 7)
  uint8_t stream_level;  ///< of a stream's bytes, plus 1; 0: none have come yet
  uint8_t remembered;    ///< what congestion control keeps over idle times
  // Line 2: ACKs that move snd_una, timers, control.
  alignas(64) TimerNode timer;
  uint32_t link;     ///< SlotPool's while free; then the ms at which the last Busy block went
  Seq snd_wl1;
  Seq snd_wl2;
  Seq last_ack_sent;
  uint32_t srtt_us;  ///< 0: none measured yet
  uint32_t rttvar_us;
  uint32_t ssthresh;
  uint32_t max_snd_wnd;  ///< largest window that the peer has offered (RFC 5961 5.2)
  uint16_t cwnd;         ///< in segments, while there is no Busy block; 0: the initial window
  uint16_t retransmits;  ///< segments sent again since the connection was opened; stays at the top
  uint32_t neighbor;
  uint32_t ts_offset;  ///< our TSval = clock in ms + this (RFC 7323 5.4)
  uint32_t ts_recent_ms;
  uint32_t own_deadline_ms;  ///< of kAckDelayed, kProbing or kLingers, which exclude each other
  uint8_t snd_wscale() const { return scales & 15; }
  uint8_t rcv_wscale() const { return scales >> 4; }
  bool has(TcbFlag flag) const { return flags & flag; }
  void set(TcbFlag flag) { flags |= flag; }
  void clear(TcbFlag flag) { flags &= ~uint32_t{flag}; }
  /// Before ESTABLISHED, in an active open.
  bool opening() const { return state == TcpState::syn_sent || state == TcpState::syn_received; }
};
static_assert(sizeof(Tcb) == 128);

/// What a sent segment is known to be; in Packet::tx_flags.
enum TxFlag : uint8_t {
  kTxSacked = 1,      ///< the peer reported it by SACK
  kTxLost = 2,        ///< taken as lost and not sent again yet
  kTxFin = 4,         ///< FIN follows its payload, which may be empty
  kTxMessageEnd = 8,  ///< last segment of its message
};

/// The segment was sent and waits for the port. `packet` may be null.
inline bool waits_here(const Packet* packet) { return packet != nullptr && (packet->tx_flags & kTxQueued); }

/// Sequence space that a segment of ours takes.
inline uint32_t sequence_length(const Packet& p) { return p.payload_length + ((p.tx_flags & kTxFin) ? 1u : 0u); }
inline Seq sequence_end(const Packet& p) { return p.sequence + sequence_length(p); }

/// Behind the last byte of a received segment's text.
inline Seq text_end(const Packet& p) { return p.sequence + p.payload_length; }

/// `reduced`: the window was cut for a mark (ECN) or for a loss that a probe repaired; nothing is to be sent again.
enum class RecoveryKind : uint8_t { none, reduced, fast, timeout };

/// What rto_deadline_ms is for; they exclude each other. SYN and FIN-WAIT-2 timers count as `rto`.
enum class TimerKind : uint8_t { rto, probe, reordering, persist };

enum BusyMark : uint8_t {
  kFinOutOfOrder = 1,       ///< fin_seq is set
  kProbeOut = 2,            ///< tlp_end is set: a tail loss probe is not answered yet
  kProbeRepeated = 4,       ///< that probe was no new data
  kReorderingSeen = 8,      ///< the network reorders (RFC 8985 5.1)
  kReorderingRound = 16,    ///< dsack_round is set
  kPaced = 32,              ///< output waits for pace_us
  kFirstRepeatStamped = 64, ///< episode.repeat_ms is set
  kSoftError = 128,         ///< ICMP has named a reason for the time-outs
};

/// RACK (RFC 8985 5.2 names): the delivered segment that was sent last, and what the path is known to do. Without SACK there is
/// `rtt_us` alone, of the last segment that was sent more than once.
struct Rack {
  uint32_t xmit_us;
  Seq end_seq;
  uint32_t rtt_us;      ///< 0: nothing was delivered yet
  uint32_t min_rtt_us;  ///< 0: none measured; since this block was taken
  Seq fack;             ///< highest sequence number that was delivered
  Seq dsack_round;
};

/// One loss recovery: what was delivered and sent since, and what is restored when it turns out to have been for nothing.
struct Episode {
  uint32_t delivered;  ///< bytes (PRR's sums, RFC 6937 3), or segments since the last time-out
  uint32_t out;        ///< bytes that were sent; or segments repeated since the last time-out, and not lost again
  uint32_t flight;  ///< RecoverFS; 0: there was no recovery
  uint32_t prior_cwnd;
  uint32_t prior_ssthresh;
  Seq marker;          ///< snd_una when it began
  uint32_t repeats;    ///< retransmissions that no D-SACK has reported as superfluous
  uint32_t repeat_ms;  ///< clock of the first retransmission
};

struct alignas(64) Busy {
  // Sending.
  PacketQueue unsent[kLevelsMax];  ///< per level, in the order of send()
  PacketQueue retransmit;          ///< sent and not acknowledged, in sequence order; FIN counts as a byte
  uint32_t unsent_bytes;
  uint32_t sacked_bytes;  ///< of retransmit
  uint32_t lost_bytes;    ///< of retransmit: lost and not sent again
  uint32_t rto_deadline_ms;  ///< 0: not running; `timer` says what for
  uint32_t drains;           ///< first DrainRequest, or kNoIndex
  Seq recover;               ///< snd_nxt when recovery began (RFC 6582)
  CongestionState congestion;  ///< 32 B
  uint8_t retries;           ///< time-outs without an answer
  uint8_t backoff;           ///< doublings of the RTO since the last RTT sample (Karn)
  uint8_t duplicate_acks;
  RecoveryKind recovery;
  TimerKind timer;
  uint8_t marks;          ///< BusyMark
  uint8_t unsent_levels;  ///< bit per level that has something unsent
  uint8_t open_level;     ///< level whose message is half sent, or kLevelsMax
  // Receiving.
  Packet* out_of_order;  ///< by sequence, no overlaps, null-terminated
  Packet* frame;         ///< a message that began in an earlier segment, as far as it has come (messages.cc)
  uint32_t link;         ///< SlotPool's
  uint32_t unread;       ///< stream framing: bytes handed over and not released
  Seq fin_seq;
  Seq latest_out_of_order;  ///< where the newest block began: first in SACK (RFC 2018 4)
  uint16_t out_of_order_count;
  // Recovery.
  uint8_t reo_wnd_mult;     ///< RFC 8985: quarters of the smallest RTT that reordering may take, less 1
  uint8_t reo_wnd_persist;  ///< recoveries until that is forgotten
  uint32_t early;           ///< slot of the EarlyRanges, or kNoIndex
  Rack rack;
  Seq tlp_end;
  uint32_t progress_ms;  ///< since when the peer owes us an ACK, or a window (RFC 5482: the user timeout)
  union {
    uint64_t token;  ///< of connect(), until opened
    Episode episode;
  };
  uint32_t pace_us;        ///< earliest departure of the next segment
  uint32_t delivered;      ///< bytes acknowledged or sacked, modulo 2^32
  uint32_t delivery_rate;  ///< bytes per second over the newest RTT sample; 0: none
  uint32_t rto_us;         ///< without backoff
  /// Something is kept beyond what is next: it is in no ACK but those with SACK.
  bool beyond_hole() const { return out_of_order != nullptr || early != kNoIndex; }
  bool marked(BusyMark mark) const { return marks & mark; }
  void mark(BusyMark mark) { marks |= mark; }
  void unmark(BusyMark mark) { marks &= static_cast<uint8_t>(~mark); }
};
static_assert(sizeof(Busy) == 256);

/// What the app was handed beyond what is next in order, in order and apart; it is never handed over again.
struct EarlyRanges {
  static constexpr uint32_t kMax = 8;
  SackBlock ranges[kMax];
  uint32_t count;
  uint32_t link;
};

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
  uint32_t flags;       ///< TcbFlag
  uint16_t mss;
  uint16_t profile;
  uint8_t scales;
  uint8_t retries;
  uint16_t challenged;
};
static_assert(sizeof(HalfOpen) == 64);

/// What IP is told about a segment beside its addresses.
struct IpMarks {
  uint8_t traffic_class = kEcnNotCapable;
  uint8_t ttl = kTtl;
};

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
  IpMarks marks;
};
static_assert(sizeof(TimeWait) == 64);

}  // namespace qstack
