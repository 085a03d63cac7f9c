// Generated from tools/layout/layout.ts by `node dist/tools/layout/generate.js`. Do not edit.
//
// What C++ and TypeScript both see in the arena of a stack. Read docs/ARCHITECTURE.md 4 for the meaning.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qstack::abi {

// clang-format off

inline constexpr uint32_t kAbiVersion = 2u;  ///< Counted up whenever an older reader would misread the arena.
inline constexpr uint32_t kArenaMagic = 0x4b545351u;  ///< "QSTK"
inline constexpr uint32_t kHeaderBytes = 77824u;  ///< ArenaHeader, app lines, stack lines and ring directory together.
inline constexpr uint32_t kAppLinesAt = 256u;  ///< Offset of AppLine 0.
inline constexpr uint32_t kStackLinesAt = 3072u;  ///< Offset of StackLine 0.
inline constexpr uint32_t kRingDirectoryAt = 4096u;  ///< Offset of RingEntry 0.
inline constexpr uint32_t kAppsMax = 32u;  ///< App threads.
inline constexpr uint32_t kStacksMax = 16u;  ///< Stack threads of one arena.
inline constexpr uint32_t kRingSetsMax = 256u;  ///< Stacks times app threads: each pair has its set of rings.
inline constexpr uint32_t kLevelsMax = 8u;  ///< Priority levels.
inline constexpr uint32_t kRingsPerApp = 18u;  ///< Directory entries of one stack and one app thread.
inline constexpr uint32_t kRingEvent = 0u;  ///< Directory index of event[0]; event[L] is L further.
inline constexpr uint32_t kRingSend = 8u;  ///< Directory index of send[0]; send[L] is L further.
inline constexpr uint32_t kRingRelease = 16u;  ///< Directory index of the release ring.
inline constexpr uint32_t kRingEmpty = 17u;  ///< Directory index of the empty ring.
inline constexpr uint32_t kEmptyRecordBytes = 4u;  ///< A record of the empty ring is the u32 index of a TX packet.
inline constexpr uint32_t kNoIndex = 0xffffffffu;  ///< No packet, no slot.
inline constexpr uint32_t kNoListener = 0xffffu;  ///< Listener number of an active open.
inline constexpr uint32_t kInfosPerApp = 16u;  ///< Info questions that an app thread may have open.
inline constexpr uint32_t kInfoBytes = 384u;  ///< A ConnectionInfo, and a u32 for each SocketOption.
inline constexpr uint32_t kRedisArgumentsMax = 4u;  ///< Arguments of one RedisCommand.
inline constexpr uint32_t kRedisByKey = 0xffffu;  ///< RedisCommand.shard: chosen by the key.
inline constexpr uint32_t kRedisPeerText = 0x80u;  ///< RedisCommand.scratch: the peer is text in the scratch area.
inline constexpr uint32_t kRedisRaw = 0u;  ///< RedisCommand.shape: the command is complete in argument 0.
inline constexpr uint32_t kStampShift = 6u;  ///< A stamp is monotonic nanoseconds >> 6, modulo 2^32.

/// EventRecord.type
enum class EventType : uint8_t {
  opened = 1,  ///< a connection is established; in ring 0
  message = 2,  ///< one message, or a chunk of a stream; in the ring of its level
  ended = 3,  ///< the peer sent FIN; in the lowest ring
  closed = 4,  ///< last event of a connection; in the lowest ring
  drained = 5,  ///< a drain request is answered; in the lowest ring
  info = 6,  ///< a ConnectionInfo and options are in the app's place; in the lowest ring
  urgent = 7,  ///< the peer has sent an urgent pointer; in the lowest ring
};

/// SendRecord.type
enum class SendType : uint8_t {
  send = 1,  ///< payload bytes
  shutdown = 2,  ///< FIN after what is queued (half close); in the lowest ring
  close = 3,  ///< FIN, and no more interest; in the lowest ring
  abort = 4,  ///< RST at once
  drain = 5,  ///< asks for a drained event; in the lowest ring
  connect = 6,  ///< active open
  connect_ipv6 = 7,  ///< the same to an IPv6 address, in wire order: slot, offset and length, rx_stamp, send_stamp
  option = 8,  ///< sets an option: its number in packet, its value in cookie; in the lowest ring
  info = 9,  ///< asks for an info event; in the lowest ring
};

/// SendRecord.flags, bits
enum class SendFlag : uint16_t {
  more = 1,  ///< more of this message follows
};

/// EventRecord.reason of a closed event: the values of CloseReason in native/tcp/app.hh
enum class CloseCode : uint32_t {
  finished = 0,  ///< both sides sent FIN and every byte was acknowledged
  reset = 1,  ///< the peer sent RST
  aborted = 2,  ///< we sent RST on demand
  timed_out = 3,  ///< retransmissions ran out
  idle = 4,  ///< idle timeout
  refused = 5,  ///< active open answered by RST
  unreachable = 6,  ///< no route, or no answer to ARP or NDP
  stack_stopped = 7,  ///< the stack goes down
  app_lost = 8,  ///< the app thread that owned it died
  bad_message = 9,  ///< the peer announced a message of a length that there is not
  elsewhere = 10,  ///< active open: its ports lead to another stack, whose number is in length; not begun
};

/// ConnectionInfo.state: the values of TcpState in native/tcp/tcb.hh
enum class ConnectionState : uint8_t {
  closed = 0,
  syn_sent = 1,
  syn_received = 2,  ///< simultaneous open
  established = 3,
  fin_wait_1 = 4,
  fin_wait_2 = 5,
  close_wait = 6,
  closing = 7,
  last_ack = 8,
};

/// ConnectionInfo.ca_state, as in Linux
enum class RecoveryState : uint8_t {
  open = 0,  ///< nothing is missing
  disorder = 1,  ///< something is missing, and may be reordered
  cwr = 2,  ///< the window was reduced, nothing is sent again
  recovery = 3,  ///< fast recovery
  loss = 4,  ///< after a time-out
};

/// ConnectionInfo.options, bits as in Linux
enum class InfoOption : uint8_t {
  timestamps = 1,
  sack = 2,
  wscale = 4,
  ecn = 8,
};

/// SendRecord.packet of an option record, and the place of its value. docs/sockets.md says more
enum class SocketOption : uint8_t {
  no_delay = 0,  ///< 0: small segments wait for the ACK of those before (Nagle)
  quick_ack = 1,  ///< 1: no ACK is delayed
  delayed_ack_ms = 2,  ///< how long an ACK may wait for data
  keepalive = 3,  ///< 1: a silent peer is probed
  keepalive_idle_ms = 4,  ///< silence before the first probe, to within an eighth
  keepalive_interval_ms = 5,  ///< from one probe to the next
  keepalive_count = 6,  ///< probes without an answer until the connection is given up
  user_timeout_ms = 7,  ///< how long data may stay unacknowledged; 0: `retries` decides
  linger_ms = 8,  ///< close: RST when it takes longer, 0 at once; NO_INDEX: FIN, and no hurry
  max_segment = 9,  ///< bounds the MSS of both directions; 0: only the path does
  congestion = 10,  ///< Congestion in native/tcp/congestion.hh: 1 cubic, 2 newreno, 3 dctcp
  pacing_rate = 11,  ///< bytes of payload per second; 0: no limit
  receive_buffer = 12,  ///< the largest window that we offer, as far as the agreed scale goes
  send_buffer = 13,  ///< bytes unsent and unacknowledged up to which the app may write
  not_sent_low_water = 14,  ///< bytes unsent up to which the app may write; NO_INDEX: send_buffer decides
  dscp = 15,  ///< code point of what we send (RFC 2474)
  ttl = 16,  ///< TTL or hop limit of what we send
  rto_min_ms = 17,  ///< the shortest retransmission time-out
  retries = 18,  ///< time-outs in a row until the connection is given up (R2 of RFC 9293 3.8.3)
  syn_retries = 19,  ///< the same for a SYN
  sums = 20,  ///< 1: sums of bytes and segments are kept for ConnectionInfo
};

/// Smallest and largest value of each SocketOption.
inline constexpr uint32_t kSocketOptionRanges[21][2] = {
  {0u, 1u},  ///< no_delay
  {0u, 1u},  ///< quick_ack
  {0u, 500u},  ///< delayed_ack_ms
  {0u, 1u},  ///< keepalive
  {1000u, 604800000u},  ///< keepalive_idle_ms
  {100u, 86400000u},  ///< keepalive_interval_ms
  {1u, 127u},  ///< keepalive_count
  {0u, 86400000u},  ///< user_timeout_ms
  {0u, 86400000u},  ///< linger_ms
  {0u, 65535u},  ///< max_segment
  {1u, 3u},  ///< congestion
  {0u, 4294967294u},  ///< pacing_rate
  {2048u, 1073741824u},  ///< receive_buffer
  {2048u, 1073741824u},  ///< send_buffer
  {1u, 1073741824u},  ///< not_sent_low_water
  {0u, 63u},  ///< dscp
  {1u, 255u},  ///< ttl
  {1u, 60000u},  ///< rto_min_ms
  {1u, 255u},  ///< retries
  {0u, 7u},  ///< syn_retries
  {0u, 1u},  ///< sums
};

/// RedisCompletion.status
enum class RedisStatus : uint8_t {
  ok = 0,  ///< a reply came
  error = 1,  ///< Redis answered with an error; the value is its text
  lost = 2,  ///< the connection broke after the command was sent: it may have been carried out
  timeout = 3,  ///< no reply in time: it may have been carried out if it was sent
  refused = 4,  ///< the command was not sent: malformed, or longer than a command may be
  too_big = 5,  ///< a reply came, but there was no room for it
};

/// RedisCompletion.type, and type of an item of an array
enum class RedisType : uint8_t {
  none = 0,  ///< no reply
  string = 1,  ///< bulk string
  array = 2,  ///< items
  integer = 3,  ///< 64 bits, signed
  nil = 4,  ///< nothing
  status = 5,  ///< simple string
  error = 6,  ///< error text
};

/// First bytes of the arena. Written before any other thread sees it.
struct alignas(64) ArenaHeader {
  uint32_t magic;  ///< ARENA_MAGIC
  uint32_t abi_version;  ///< ABI_VERSION
  uint32_t arena_bytes;  ///< size of the arena
  uint32_t levels;  ///< priority levels in use, 1 to LEVELS_MAX
  uint32_t apps;  ///< app threads, 1 to APPS_MAX
  uint32_t connections;  ///< slots of all stacks: a connection is 0 to connections - 1
  uint32_t region_at;  ///< offset of packet element 0
  uint32_t stride;  ///< bytes from one packet element to the next
  uint32_t packets;  ///< packet elements: RX of all stacks first, then TX of all
  uint32_t rx_packets;  ///< packets of the RX pools: the first TX packet has this index
  uint32_t payload_at;  ///< offset of a TX payload within its element (full headroom before it)
  uint32_t room;  ///< bytes of payload that fit from payload_at on
  uint32_t slab_at;  ///< offset of the slab for suspended messages
  uint32_t slab_bytes;  ///< size of that slab
  uint32_t mss;  ///< largest payload of one segment that this stack sends
  uint32_t addresses_at;  ///< offset of AddressEntry 0, one per slot; 0: this stack speaks no IPv6
  uint32_t infos_at;  ///< offset of info place 0 of app 0: INFOS_PER_APP places of INFO_BYTES for each app
  uint32_t stacks;  ///< stack threads, 1 to STACKS_MAX
  uint32_t slots_per_stack;  ///< slots of each stack: those of stack k begin at k * slots_per_stack
  uint32_t rx_packets_per_stack;  ///< RX packets of each stack: those of stack k begin at k * rx_packets_per_stack
  uint32_t tx_packets_per_stack;  ///< the same of TX packets, from rx_packets on
  uint8_t gap_84[172];
};
static_assert(sizeof(ArenaHeader) == 256);
static_assert(offsetof(ArenaHeader, magic) == 0);
static_assert(offsetof(ArenaHeader, abi_version) == 4);
static_assert(offsetof(ArenaHeader, arena_bytes) == 8);
static_assert(offsetof(ArenaHeader, levels) == 12);
static_assert(offsetof(ArenaHeader, apps) == 16);
static_assert(offsetof(ArenaHeader, connections) == 20);
static_assert(offsetof(ArenaHeader, region_at) == 24);
static_assert(offsetof(ArenaHeader, stride) == 28);
static_assert(offsetof(ArenaHeader, packets) == 32);
static_assert(offsetof(ArenaHeader, rx_packets) == 36);
static_assert(offsetof(ArenaHeader, payload_at) == 40);
static_assert(offsetof(ArenaHeader, room) == 44);
static_assert(offsetof(ArenaHeader, slab_at) == 48);
static_assert(offsetof(ArenaHeader, slab_bytes) == 52);
static_assert(offsetof(ArenaHeader, mss) == 56);
static_assert(offsetof(ArenaHeader, addresses_at) == 60);
static_assert(offsetof(ArenaHeader, infos_at) == 64);
static_assert(offsetof(ArenaHeader, stacks) == 68);
static_assert(offsetof(ArenaHeader, slots_per_stack) == 72);
static_assert(offsetof(ArenaHeader, rx_packets_per_stack) == 76);
static_assert(offsetof(ArenaHeader, tx_packets_per_stack) == 80);

/// One line per app thread at APP_LINES_AT; written by that thread alone.
struct alignas(64) AppLine {
  uint32_t stamp;  ///< current stamp; the poller writes it before it enters JavaScript
  uint32_t waiting;  ///< 0 while the poller runs; the number of this sleep (never 0) while it waits for the eventfd
  uint32_t turns;  ///< turns of the poller, modulo 2^32: the heartbeat
  uint32_t deadline;  ///< stamp at which JavaScript wants a turn, at most 137 s ahead; valid while deadline_set is 1
  uint32_t deadline_set;  ///< 1: deadline holds; the poller clears it when it enters JavaScript for it
  uint32_t want_buffers;  ///< 1: a record in the empty ring is a reason to enter JavaScript
  uint32_t quiet_levels;  ///< bit L: records in event[L] are no reason to enter JavaScript
  uint8_t gap_28[36];
};
static_assert(sizeof(AppLine) == 64);
static_assert(offsetof(AppLine, stamp) == 0);
static_assert(offsetof(AppLine, waiting) == 4);
static_assert(offsetof(AppLine, turns) == 8);
static_assert(offsetof(AppLine, deadline) == 12);
static_assert(offsetof(AppLine, deadline_set) == 16);
static_assert(offsetof(AppLine, want_buffers) == 20);
static_assert(offsetof(AppLine, quiet_levels) == 24);

/// One line per stack at STACK_LINES_AT; written by its thread alone.
struct alignas(64) StackLine {
  uint32_t stamp;  ///< stamp of the current turn
  uint32_t turns;  ///< turns so far, modulo 2^32: the heartbeat
  uint32_t behind;  ///< 1: data comes in faster than a burst a turn, and lower levels are to wait until it is judged
  uint8_t gap_12[52];
};
static_assert(sizeof(StackLine) == 64);
static_assert(offsetof(StackLine, stamp) == 0);
static_assert(offsetof(StackLine, turns) == 4);
static_assert(offsetof(StackLine, behind) == 8);

/// Entry of the directory at RING_DIRECTORY_AT: RINGS_PER_APP for each app of stack 0, then of stack 1, …
struct alignas(4) RingEntry {
  uint32_t header_at;  ///< offset of the RingHeader in the arena; 0: this ring does not exist
  uint32_t records_at;  ///< offset of record 0
  uint32_t capacity;  ///< records, a power of two
  uint32_t record_bytes;  ///< size of one record
};
static_assert(sizeof(RingEntry) == 16);
static_assert(offsetof(RingEntry, header_at) == 0);
static_assert(offsetof(RingEntry, records_at) == 4);
static_assert(offsetof(RingEntry, capacity) == 8);
static_assert(offsetof(RingEntry, record_bytes) == 12);

/// Two lines of a ring: free-running counts of records, published once per turn.
struct alignas(64) RingHeader {
  uint32_t tail;  ///< records written so far (producer)
  uint8_t gap_4[60];
  uint32_t head;  ///< records taken so far (consumer)
  uint8_t gap_68[60];
};
static_assert(sizeof(RingHeader) == 128);
static_assert(offsetof(RingHeader, tail) == 0);
static_assert(offsetof(RingHeader, head) == 64);

/// Stack to app.
struct alignas(64) EventRecord {
  uint8_t type;  ///< EventType
  uint8_t level;  ///< level of the message, 0 is the highest
  uint16_t listener;  ///< number of the listener; 0xffff for an active open
  uint32_t slot;  ///< connection
  uint32_t generation;  ///< connection
  uint32_t packet;  ///< index of the packet that holds the message; NO_INDEX in other events
  uint32_t offset;  ///< message, info: first byte, from the arena's start
  uint32_t length;  ///< message, info: bytes
  uint32_t remote_address;  ///< IPv4, host order; 0: IPv6, in the slot's AddressEntry
  uint16_t remote_port;
  uint16_t local_port;
  uint32_t local_address;  ///< IPv4, host order; 0: IPv6, or not known
  uint32_t cookie;  ///< drained, info: as given in the record that asked
  uint32_t token_low;  ///< opened: cookie of the connect record, low half; 0 for a passive open
  uint32_t token_high;  ///< opened: high half
  uint32_t rx_stamp;  ///< when the frame was polled
  uint32_t tcp_stamp;  ///< when TCP passed it on
  uint32_t ring_stamp;  ///< when the record was written
  uint32_t reason;  ///< closed: CloseReason
};
static_assert(sizeof(EventRecord) == 64);
static_assert(offsetof(EventRecord, type) == 0);
static_assert(offsetof(EventRecord, level) == 1);
static_assert(offsetof(EventRecord, listener) == 2);
static_assert(offsetof(EventRecord, slot) == 4);
static_assert(offsetof(EventRecord, generation) == 8);
static_assert(offsetof(EventRecord, packet) == 12);
static_assert(offsetof(EventRecord, offset) == 16);
static_assert(offsetof(EventRecord, length) == 20);
static_assert(offsetof(EventRecord, remote_address) == 24);
static_assert(offsetof(EventRecord, remote_port) == 28);
static_assert(offsetof(EventRecord, local_port) == 30);
static_assert(offsetof(EventRecord, local_address) == 32);
static_assert(offsetof(EventRecord, cookie) == 36);
static_assert(offsetof(EventRecord, token_low) == 40);
static_assert(offsetof(EventRecord, token_high) == 44);
static_assert(offsetof(EventRecord, rx_stamp) == 48);
static_assert(offsetof(EventRecord, tcp_stamp) == 52);
static_assert(offsetof(EventRecord, ring_stamp) == 56);
static_assert(offsetof(EventRecord, reason) == 60);

/// IPv6 addresses of the connection in this slot. The stack writes the generation first: a reader looks at it last.
struct alignas(16) AddressEntry {
  uint32_t generation;  ///< whose they are
  uint32_t reserved_0;
  uint32_t reserved_1;
  uint32_t reserved_2;
  uint32_t remote_0;  ///< bytes 0 to 3 of the remote address, as on the wire
  uint32_t remote_4;  ///< bytes 4 to 7 of the remote address, as on the wire
  uint32_t remote_8;  ///< bytes 8 to 11 of the remote address, as on the wire
  uint32_t remote_12;  ///< bytes 12 to 15 of the remote address, as on the wire
  uint32_t local_0;  ///< bytes 0 to 3 of the local address, as on the wire
  uint32_t local_4;  ///< bytes 4 to 7 of the local address, as on the wire
  uint32_t local_8;  ///< bytes 8 to 11 of the local address, as on the wire
  uint32_t local_12;  ///< bytes 12 to 15 of the local address, as on the wire
};
static_assert(sizeof(AddressEntry) == 48);
static_assert(offsetof(AddressEntry, generation) == 0);
static_assert(offsetof(AddressEntry, reserved_0) == 4);
static_assert(offsetof(AddressEntry, reserved_1) == 8);
static_assert(offsetof(AddressEntry, reserved_2) == 12);
static_assert(offsetof(AddressEntry, remote_0) == 16);
static_assert(offsetof(AddressEntry, remote_4) == 20);
static_assert(offsetof(AddressEntry, remote_8) == 24);
static_assert(offsetof(AddressEntry, remote_12) == 28);
static_assert(offsetof(AddressEntry, local_0) == 32);
static_assert(offsetof(AddressEntry, local_4) == 36);
static_assert(offsetof(AddressEntry, local_8) == 40);
static_assert(offsetof(AddressEntry, local_12) == 44);

/// App to stack.
struct alignas(32) SendRecord {
  uint8_t type;  ///< SendType
  uint8_t level;  ///< level of the bytes
  uint16_t flags;  ///< SendFlag bits
  uint32_t slot;  ///< connection; connect: remote address
  uint32_t generation;  ///< connection; connect: remote port | local port << 16
  uint32_t packet;  ///< index of a TX packet that this app owns; drain: low water; connect: listener number; option: its number; info: place of the answer
  uint16_t offset;  ///< first payload byte, from payload_at of the element
  uint16_t length;  ///< payload bytes
  uint32_t rx_stamp;  ///< rx_stamp of the message that this answers, else 0
  uint32_t send_stamp;  ///< when the record was written
  uint32_t cookie;  ///< drain, info: comes back in the event; connect: token; option: its value
};
static_assert(sizeof(SendRecord) == 32);
static_assert(offsetof(SendRecord, type) == 0);
static_assert(offsetof(SendRecord, level) == 1);
static_assert(offsetof(SendRecord, flags) == 2);
static_assert(offsetof(SendRecord, slot) == 4);
static_assert(offsetof(SendRecord, generation) == 8);
static_assert(offsetof(SendRecord, packet) == 12);
static_assert(offsetof(SendRecord, offset) == 16);
static_assert(offsetof(SendRecord, length) == 18);
static_assert(offsetof(SendRecord, rx_stamp) == 20);
static_assert(offsetof(SendRecord, send_stamp) == 24);
static_assert(offsetof(SendRecord, cookie) == 28);

/// App to stack: one reference of an RX packet comes back.
struct alignas(16) ReleaseRecord {
  uint32_t packet;  ///< index of the packet
  uint32_t slot;  ///< connection that the message came from
  uint32_t generation;
  uint32_t length;  ///< bytes that leave the receive window: the length of the message
};
static_assert(sizeof(ReleaseRecord) == 16);
static_assert(offsetof(ReleaseRecord, packet) == 0);
static_assert(offsetof(ReleaseRecord, slot) == 4);
static_assert(offsetof(ReleaseRecord, generation) == 8);
static_assert(offsetof(ReleaseRecord, length) == 12);

/// State of one connection, as TCP_INFO of Linux gives it. NO_INDEX: not known. SocketOption values follow, a u32 each.
struct alignas(8) ConnectionInfo {
  uint8_t state;  ///< ConnectionState
  uint8_t ca_state;  ///< RecoveryState
  uint8_t retransmits;  ///< time-outs and zero-window probes in a row without an answer
  uint8_t probes;  ///< keepalive probes in a row without an answer
  uint8_t backoff;  ///< doublings of the RTO
  uint8_t options;  ///< InfoOption bits: what both sides agreed to
  uint8_t snd_wscale;  ///< shift of the peer's windows
  uint8_t rcv_wscale;  ///< shift of our windows
  uint32_t rto_us;  ///< retransmission time-out, backoff included
  uint32_t ato_us;  ///< how long an ACK may be delayed
  uint32_t snd_mss;  ///< largest payload of a segment that we send
  uint32_t advmss;  ///< MSS that we announce
  uint32_t pmtu;  ///< bytes of an IP packet that we send at most
  uint32_t unacked;  ///< segments sent and not acknowledged
  uint32_t sacked;  ///< of these: reported as received
  uint32_t lost;  ///< of these: taken as lost and not sent again yet
  uint32_t retrans;  ///< of these: sent more than once
  uint32_t last_data_sent_ms;  ///< since the newest of these was sent; NO_INDEX: none is in flight. With sums: the last data
  uint32_t last_recv_ms;  ///< since the last segment of any kind came
  uint32_t rtt_us;  ///< smoothed round-trip time; 0: not measured yet
  uint32_t rttvar_us;  ///< its variation
  uint32_t min_rtt_us;  ///< smallest since data last began to flow; NO_INDEX while idle
  uint32_t snd_cwnd;  ///< congestion window, in segments
  uint32_t snd_ssthresh;  ///< slow start threshold, in segments; NO_INDEX: no congestion was seen yet
  uint32_t reord_window_us;  ///< how long RACK waits for reordered segments; NO_INDEX while idle
  uint32_t total_retrans;  ///< segments sent again since the connection was opened; stays at 65,535
  uint32_t pacing_rate;  ///< bytes per second that segments are spread out to; 0: they are not
  uint32_t delivery_rate;  ///< bytes per second over the newest RTT; NO_INDEX while idle
  uint32_t notsent_bytes;  ///< queued and not sent yet
  uint32_t unacked_bytes;  ///< sent and not acknowledged
  uint32_t unread_bytes;  ///< stream: handed to the app and not released
  uint32_t out_of_order;  ///< segments held behind a hole
  uint32_t snd_wnd;  ///< the peer's window, in bytes
  uint32_t rcv_wnd;  ///< our window, in bytes
  uint32_t urgent_bytes;  ///< from what the app reads next to the end of the urgent data
  uint32_t sums;  ///< 1: what follows is kept, since the option sums was set; 0: it is not known
  uint64_t bytes_sent;  ///< payload, repetitions included
  uint64_t bytes_retrans;  ///< of these: repetitions
  uint64_t bytes_acked;  ///< payload that the peer has acknowledged
  uint64_t bytes_received;  ///< payload received in order
  uint32_t segs_out;  ///< segments sent
  uint32_t segs_in;  ///< segments that came
  uint32_t data_segs_out;  ///< of the former: with payload
  uint32_t data_segs_in;  ///< of the latter: with payload
  uint32_t delivered;  ///< segments acknowledged or sacked for the first time
  uint32_t delivered_ce;  ///< of these: by an ACK with ECE
  uint32_t dsack_dups;  ///< D-SACKs received
  uint32_t reord_seen;  ///< segments delivered after later ones
  uint32_t rcv_ooopack;  ///< segments received out of order
  uint32_t last_data_recv_ms;  ///< since the last payload came
  uint32_t last_ack_recv_ms;  ///< since the last ACK came
  uint8_t gap_196[12];
};
static_assert(sizeof(ConnectionInfo) == 208);
static_assert(offsetof(ConnectionInfo, state) == 0);
static_assert(offsetof(ConnectionInfo, ca_state) == 1);
static_assert(offsetof(ConnectionInfo, retransmits) == 2);
static_assert(offsetof(ConnectionInfo, probes) == 3);
static_assert(offsetof(ConnectionInfo, backoff) == 4);
static_assert(offsetof(ConnectionInfo, options) == 5);
static_assert(offsetof(ConnectionInfo, snd_wscale) == 6);
static_assert(offsetof(ConnectionInfo, rcv_wscale) == 7);
static_assert(offsetof(ConnectionInfo, rto_us) == 8);
static_assert(offsetof(ConnectionInfo, ato_us) == 12);
static_assert(offsetof(ConnectionInfo, snd_mss) == 16);
static_assert(offsetof(ConnectionInfo, advmss) == 20);
static_assert(offsetof(ConnectionInfo, pmtu) == 24);
static_assert(offsetof(ConnectionInfo, unacked) == 28);
static_assert(offsetof(ConnectionInfo, sacked) == 32);
static_assert(offsetof(ConnectionInfo, lost) == 36);
static_assert(offsetof(ConnectionInfo, retrans) == 40);
static_assert(offsetof(ConnectionInfo, last_data_sent_ms) == 44);
static_assert(offsetof(ConnectionInfo, last_recv_ms) == 48);
static_assert(offsetof(ConnectionInfo, rtt_us) == 52);
static_assert(offsetof(ConnectionInfo, rttvar_us) == 56);
static_assert(offsetof(ConnectionInfo, min_rtt_us) == 60);
static_assert(offsetof(ConnectionInfo, snd_cwnd) == 64);
static_assert(offsetof(ConnectionInfo, snd_ssthresh) == 68);
static_assert(offsetof(ConnectionInfo, reord_window_us) == 72);
static_assert(offsetof(ConnectionInfo, total_retrans) == 76);
static_assert(offsetof(ConnectionInfo, pacing_rate) == 80);
static_assert(offsetof(ConnectionInfo, delivery_rate) == 84);
static_assert(offsetof(ConnectionInfo, notsent_bytes) == 88);
static_assert(offsetof(ConnectionInfo, unacked_bytes) == 92);
static_assert(offsetof(ConnectionInfo, unread_bytes) == 96);
static_assert(offsetof(ConnectionInfo, out_of_order) == 100);
static_assert(offsetof(ConnectionInfo, snd_wnd) == 104);
static_assert(offsetof(ConnectionInfo, rcv_wnd) == 108);
static_assert(offsetof(ConnectionInfo, urgent_bytes) == 112);
static_assert(offsetof(ConnectionInfo, sums) == 116);
static_assert(offsetof(ConnectionInfo, bytes_sent) == 120);
static_assert(offsetof(ConnectionInfo, bytes_retrans) == 128);
static_assert(offsetof(ConnectionInfo, bytes_acked) == 136);
static_assert(offsetof(ConnectionInfo, bytes_received) == 144);
static_assert(offsetof(ConnectionInfo, segs_out) == 152);
static_assert(offsetof(ConnectionInfo, segs_in) == 156);
static_assert(offsetof(ConnectionInfo, data_segs_out) == 160);
static_assert(offsetof(ConnectionInfo, data_segs_in) == 164);
static_assert(offsetof(ConnectionInfo, delivered) == 168);
static_assert(offsetof(ConnectionInfo, delivered_ce) == 172);
static_assert(offsetof(ConnectionInfo, dsack_dups) == 176);
static_assert(offsetof(ConnectionInfo, reord_seen) == 180);
static_assert(offsetof(ConnectionInfo, rcv_ooopack) == 184);
static_assert(offsetof(ConnectionInfo, last_data_recv_ms) == 188);
static_assert(offsetof(ConnectionInfo, last_ack_recv_ms) == 192);

/// JavaScript to the Redis client of its own thread, in the client's block.
struct alignas(64) RedisCommand {
  uint32_t op;  ///< comes back in the completion
  uint16_t shape;  ///< number of the template; REDIS_RAW: argument 0 is the whole command, argument 1 its key
  uint8_t level;  ///< level of the command, 0 is the highest
  uint8_t arguments;  ///< arguments in use, 0 to REDIS_ARGUMENTS_MAX
  uint16_t shard;  ///< which server; REDIS_BY_KEY: the one that has the slot of the key
  uint8_t scratch;  ///< bit k: argument k lies in the client's scratch area, else in the stack's arena; REDIS_PEER_TEXT
  uint8_t gap_11[1];
  uint32_t timeout_ms;  ///< from now on; then it completes as timeout
  uint32_t peer_address;  ///< for a peer hole: IPv4, host order; of an IPv6 peer: where in the scratch area its text lies
  uint16_t peer_port;  ///< of an IPv6 peer: bytes of its text
  uint16_t waited_ms;  ///< how long before the start of the op its message came to the stack
  uint32_t number;  ///< for a number hole
  uint32_t stamp;  ///< when the op started
  uint32_t offset_0;  ///< first byte of argument 0
  uint32_t length_0;  ///< bytes of argument 0
  uint32_t offset_1;
  uint32_t length_1;
  uint32_t offset_2;
  uint32_t length_2;
  uint32_t offset_3;
  uint32_t length_3;
};
static_assert(sizeof(RedisCommand) == 64);
static_assert(offsetof(RedisCommand, op) == 0);
static_assert(offsetof(RedisCommand, shape) == 4);
static_assert(offsetof(RedisCommand, level) == 6);
static_assert(offsetof(RedisCommand, arguments) == 7);
static_assert(offsetof(RedisCommand, shard) == 8);
static_assert(offsetof(RedisCommand, scratch) == 10);
static_assert(offsetof(RedisCommand, timeout_ms) == 12);
static_assert(offsetof(RedisCommand, peer_address) == 16);
static_assert(offsetof(RedisCommand, peer_port) == 20);
static_assert(offsetof(RedisCommand, waited_ms) == 22);
static_assert(offsetof(RedisCommand, number) == 24);
static_assert(offsetof(RedisCommand, stamp) == 28);
static_assert(offsetof(RedisCommand, offset_0) == 32);
static_assert(offsetof(RedisCommand, length_0) == 36);
static_assert(offsetof(RedisCommand, offset_1) == 40);
static_assert(offsetof(RedisCommand, length_1) == 44);
static_assert(offsetof(RedisCommand, offset_2) == 48);
static_assert(offsetof(RedisCommand, length_2) == 52);
static_assert(offsetof(RedisCommand, offset_3) == 56);
static_assert(offsetof(RedisCommand, length_3) == 60);

/// Redis client to JavaScript: the outcome of one command.
struct alignas(32) RedisCompletion {
  uint32_t op;  ///< of the command
  uint8_t status;  ///< RedisStatus
  uint8_t type;  ///< RedisType of the reply
  uint16_t shard;  ///< which server
  uint32_t offset;  ///< first byte of the value, from the block's start
  uint32_t length;  ///< bytes of the value; an array: of its items, each with a type and a length
  uint32_t value_low;  ///< integer reply, low half
  uint32_t value_high;  ///< integer reply, high half
  uint32_t place;  ///< what holds the value: goes back in the release ring; NO_INDEX: nothing to give back
  uint32_t elapsed;  ///< stamps from the start of the op to its outcome
};
static_assert(sizeof(RedisCompletion) == 32);
static_assert(offsetof(RedisCompletion, op) == 0);
static_assert(offsetof(RedisCompletion, status) == 4);
static_assert(offsetof(RedisCompletion, type) == 5);
static_assert(offsetof(RedisCompletion, shard) == 6);
static_assert(offsetof(RedisCompletion, offset) == 8);
static_assert(offsetof(RedisCompletion, length) == 12);
static_assert(offsetof(RedisCompletion, value_low) == 16);
static_assert(offsetof(RedisCompletion, value_high) == 20);
static_assert(offsetof(RedisCompletion, place) == 24);
static_assert(offsetof(RedisCompletion, elapsed) == 28);

// clang-format on

}  // namespace qstack::abi
