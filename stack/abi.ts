// Generated from tools/layout/layout.ts by `node dist/tools/layout/generate.js`. Do not edit.
//
// What C++ and TypeScript both see in the arena of a stack. Read docs/ARCHITECTURE.md 4 for the meaning.
// A field is named STRUCT_FIELD_U8, _U16 or _U32: its index from the start of the struct in a typed array of that width;
// of one of 64 bits, _U32 is that of its low word, and the high one follows.

/** Counted up whenever an older reader would misread the arena. */
export const ABI_VERSION = 2;

/** "QSTK" */
export const ARENA_MAGIC = 0x4b545351;

/** ArenaHeader, app lines, stack lines and ring directory together. */
export const HEADER_BYTES = 77824;

/** Offset of AppLine 0. */
export const APP_LINES_AT = 256;

/** Offset of StackLine 0. */
export const STACK_LINES_AT = 3072;

/** Offset of RingEntry 0. */
export const RING_DIRECTORY_AT = 4096;

/** App threads. */
export const APPS_MAX = 32;

/** Stack threads of one arena. */
export const STACKS_MAX = 16;

/** Stacks times app threads: each pair has its set of rings. */
export const RING_SETS_MAX = 256;

/** Priority levels. */
export const LEVELS_MAX = 8;

/** Directory entries of one stack and one app thread. */
export const RINGS_PER_APP = 18;

/** Directory index of event[0]; event[L] is L further. */
export const RING_EVENT = 0;

/** Directory index of send[0]; send[L] is L further. */
export const RING_SEND = 8;

/** Directory index of the release ring. */
export const RING_RELEASE = 16;

/** Directory index of the empty ring. */
export const RING_EMPTY = 17;

/** A record of the empty ring is the u32 index of a TX packet. */
export const EMPTY_RECORD_BYTES = 4;

/** No packet, no slot. */
export const NO_INDEX = 0xffffffff;

/** Listener number of an active open. */
export const NO_LISTENER = 0xffff;

/** Info questions that an app thread may have open. */
export const INFOS_PER_APP = 16;

/** A ConnectionInfo, and a u32 for each SocketOption. */
export const INFO_BYTES = 384;

/** Arguments of one RedisCommand. */
export const REDIS_ARGUMENTS_MAX = 4;

/** RedisCommand.shard: chosen by the key. */
export const REDIS_BY_KEY = 0xffff;

/** RedisCommand.scratch: the peer is text in the scratch area. */
export const REDIS_PEER_TEXT = 0x80;

/** RedisCommand.shape: the command is complete in argument 0. */
export const REDIS_RAW = 0;

/** A stamp is monotonic nanoseconds >> 6, modulo 2^32. */
export const STAMP_SHIFT = 6;

// EventType: EventRecord.type.

/** a connection is established; in ring 0 */
export const EVENT_TYPE_OPENED = 1;

/** one message, or a chunk of a stream; in the ring of its level */
export const EVENT_TYPE_MESSAGE = 2;

/** the peer sent FIN; in the lowest ring */
export const EVENT_TYPE_ENDED = 3;

/** last event of a connection; in the lowest ring */
export const EVENT_TYPE_CLOSED = 4;

/** a drain request is answered; in the lowest ring */
export const EVENT_TYPE_DRAINED = 5;

/** a ConnectionInfo and options are in the app's place; in the lowest ring */
export const EVENT_TYPE_INFO = 6;

/** the peer has sent an urgent pointer; in the lowest ring */
export const EVENT_TYPE_URGENT = 7;

// SendType: SendRecord.type.

/** payload bytes */
export const SEND_TYPE_SEND = 1;

/** FIN after what is queued (half close); in the lowest ring */
export const SEND_TYPE_SHUTDOWN = 2;

/** FIN, and no more interest; in the lowest ring */
export const SEND_TYPE_CLOSE = 3;

/** RST at once */
export const SEND_TYPE_ABORT = 4;

/** asks for a drained event; in the lowest ring */
export const SEND_TYPE_DRAIN = 5;

/** active open */
export const SEND_TYPE_CONNECT = 6;

/** the same to an IPv6 address, in wire order: slot, offset and length, rx_stamp, send_stamp */
export const SEND_TYPE_CONNECT_IPV6 = 7;

/** sets an option: its number in packet, its value in cookie; in the lowest ring */
export const SEND_TYPE_OPTION = 8;

/** asks for an info event; in the lowest ring */
export const SEND_TYPE_INFO = 9;

// SendFlag: SendRecord.flags, bits.

/** more of this message follows */
export const SEND_FLAG_MORE = 1;

// CloseCode: EventRecord.reason of a closed event: the values of CloseReason in native/tcp/app.hh.

/** both sides sent FIN and every byte was acknowledged */
export const CLOSE_CODE_FINISHED = 0;

/** the peer sent RST */
export const CLOSE_CODE_RESET = 1;

/** we sent RST on demand */
export const CLOSE_CODE_ABORTED = 2;

/** retransmissions ran out */
export const CLOSE_CODE_TIMED_OUT = 3;

/** idle timeout */
export const CLOSE_CODE_IDLE = 4;

/** active open answered by RST */
export const CLOSE_CODE_REFUSED = 5;

/** no route, or no answer to ARP or NDP */
export const CLOSE_CODE_UNREACHABLE = 6;

/** the stack goes down */
export const CLOSE_CODE_STACK_STOPPED = 7;

/** the app thread that owned it died */
export const CLOSE_CODE_APP_LOST = 8;

/** the peer announced a message of a length that there is not */
export const CLOSE_CODE_BAD_MESSAGE = 9;

/** active open: its ports lead to another stack, whose number is in length; not begun */
export const CLOSE_CODE_ELSEWHERE = 10;

// ConnectionState: ConnectionInfo.state: the values of TcpState in native/tcp/tcb.hh.

export const CONNECTION_STATE_CLOSED = 0;

export const CONNECTION_STATE_SYN_SENT = 1;

/** simultaneous open */
export const CONNECTION_STATE_SYN_RECEIVED = 2;

export const CONNECTION_STATE_ESTABLISHED = 3;

export const CONNECTION_STATE_FIN_WAIT_1 = 4;

export const CONNECTION_STATE_FIN_WAIT_2 = 5;

export const CONNECTION_STATE_CLOSE_WAIT = 6;

export const CONNECTION_STATE_CLOSING = 7;

export const CONNECTION_STATE_LAST_ACK = 8;

// RecoveryState: ConnectionInfo.ca_state, as in Linux.

/** nothing is missing */
export const RECOVERY_STATE_OPEN = 0;

/** something is missing, and may be reordered */
export const RECOVERY_STATE_DISORDER = 1;

/** the window was reduced, nothing is sent again */
export const RECOVERY_STATE_CWR = 2;

/** fast recovery */
export const RECOVERY_STATE_RECOVERY = 3;

/** after a time-out */
export const RECOVERY_STATE_LOSS = 4;

// InfoOption: ConnectionInfo.options, bits as in Linux.

export const INFO_OPTION_TIMESTAMPS = 1;

export const INFO_OPTION_SACK = 2;

export const INFO_OPTION_WSCALE = 4;

export const INFO_OPTION_ECN = 8;

// SocketOption: SendRecord.packet of an option record, and the place of its value. docs/sockets.md says more.

/** 0: small segments wait for the ACK of those before (Nagle) */
export const SOCKET_OPTION_NO_DELAY = 0;

/** 1: no ACK is delayed */
export const SOCKET_OPTION_QUICK_ACK = 1;

/** how long an ACK may wait for data */
export const SOCKET_OPTION_DELAYED_ACK_MS = 2;

/** 1: a silent peer is probed */
export const SOCKET_OPTION_KEEPALIVE = 3;

/** silence before the first probe, to within an eighth */
export const SOCKET_OPTION_KEEPALIVE_IDLE_MS = 4;

/** from one probe to the next */
export const SOCKET_OPTION_KEEPALIVE_INTERVAL_MS = 5;

/** probes without an answer until the connection is given up */
export const SOCKET_OPTION_KEEPALIVE_COUNT = 6;

/** how long data may stay unacknowledged; 0: `retries` decides */
export const SOCKET_OPTION_USER_TIMEOUT_MS = 7;

/** close: RST when it takes longer, 0 at once; NO_INDEX: FIN, and no hurry */
export const SOCKET_OPTION_LINGER_MS = 8;

/** bounds the MSS of both directions; 0: only the path does */
export const SOCKET_OPTION_MAX_SEGMENT = 9;

/** Congestion in native/tcp/congestion.hh: 1 cubic, 2 newreno, 3 dctcp */
export const SOCKET_OPTION_CONGESTION = 10;

/** bytes of payload per second; 0: no limit */
export const SOCKET_OPTION_PACING_RATE = 11;

/** the largest window that we offer, as far as the agreed scale goes */
export const SOCKET_OPTION_RECEIVE_BUFFER = 12;

/** bytes unsent and unacknowledged up to which the app may write */
export const SOCKET_OPTION_SEND_BUFFER = 13;

/** bytes unsent up to which the app may write; NO_INDEX: send_buffer decides */
export const SOCKET_OPTION_NOT_SENT_LOW_WATER = 14;

/** code point of what we send (RFC 2474) */
export const SOCKET_OPTION_DSCP = 15;

/** TTL or hop limit of what we send */
export const SOCKET_OPTION_TTL = 16;

/** the shortest retransmission time-out */
export const SOCKET_OPTION_RTO_MIN_MS = 17;

/** time-outs in a row until the connection is given up (R2 of RFC 9293 3.8.3) */
export const SOCKET_OPTION_RETRIES = 18;

/** the same for a SYN */
export const SOCKET_OPTION_SYN_RETRIES = 19;

/** 1: sums of bytes and segments are kept for ConnectionInfo */
export const SOCKET_OPTION_SUMS = 20;

/** Name, smallest and largest value of each SocketOption, by its number. */
export const SOCKET_OPTIONS: readonly (readonly [name: string, min: number, max: number])[] = [
  ['no_delay', 0, 1],
  ['quick_ack', 0, 1],
  ['delayed_ack_ms', 0, 500],
  ['keepalive', 0, 1],
  ['keepalive_idle_ms', 1000, 604800000],
  ['keepalive_interval_ms', 100, 86400000],
  ['keepalive_count', 1, 127],
  ['user_timeout_ms', 0, 86400000],
  ['linger_ms', 0, 86400000],
  ['max_segment', 0, 65535],
  ['congestion', 1, 3],
  ['pacing_rate', 0, 4294967294],
  ['receive_buffer', 2048, 1073741824],
  ['send_buffer', 2048, 1073741824],
  ['not_sent_low_water', 1, 1073741824],
  ['dscp', 0, 63],
  ['ttl', 1, 255],
  ['rto_min_ms', 1, 60000],
  ['retries', 1, 255],
  ['syn_retries', 0, 7],
  ['sums', 0, 1],
];

// RedisStatus: RedisCompletion.status.

/** a reply came */
export const REDIS_STATUS_OK = 0;

/** Redis answered with an error; the value is its text */
export const REDIS_STATUS_ERROR = 1;

/** the connection broke after the command was sent: it may have been carried out */
export const REDIS_STATUS_LOST = 2;

/** no reply in time: it may have been carried out if it was sent */
export const REDIS_STATUS_TIMEOUT = 3;

/** the command was not sent: malformed, or longer than a command may be */
export const REDIS_STATUS_REFUSED = 4;

/** a reply came, but there was no room for it */
export const REDIS_STATUS_TOO_BIG = 5;

// RedisType: RedisCompletion.type, and type of an item of an array.

/** no reply */
export const REDIS_TYPE_NONE = 0;

/** bulk string */
export const REDIS_TYPE_STRING = 1;

/** items */
export const REDIS_TYPE_ARRAY = 2;

/** 64 bits, signed */
export const REDIS_TYPE_INTEGER = 3;

/** nothing */
export const REDIS_TYPE_NIL = 4;

/** simple string */
export const REDIS_TYPE_STATUS = 5;

/** error text */
export const REDIS_TYPE_ERROR = 6;

// ArenaHeader: First bytes of the arena. Written before any other thread sees it.

/** Size in bytes. */
export const ARENA_HEADER_BYTES = 256;

/** ARENA_MAGIC */
export const ARENA_HEADER_MAGIC_U32 = 0;

/** ABI_VERSION */
export const ARENA_HEADER_ABI_VERSION_U32 = 1;

/** size of the arena */
export const ARENA_HEADER_ARENA_BYTES_U32 = 2;

/** priority levels in use, 1 to LEVELS_MAX */
export const ARENA_HEADER_LEVELS_U32 = 3;

/** app threads, 1 to APPS_MAX */
export const ARENA_HEADER_APPS_U32 = 4;

/** slots of all stacks: a connection is 0 to connections - 1 */
export const ARENA_HEADER_CONNECTIONS_U32 = 5;

/** offset of packet element 0 */
export const ARENA_HEADER_REGION_AT_U32 = 6;

/** bytes from one packet element to the next */
export const ARENA_HEADER_STRIDE_U32 = 7;

/** packet elements: RX of all stacks first, then TX of all */
export const ARENA_HEADER_PACKETS_U32 = 8;

/** packets of the RX pools: the first TX packet has this index */
export const ARENA_HEADER_RX_PACKETS_U32 = 9;

/** offset of a TX payload within its element (full headroom before it) */
export const ARENA_HEADER_PAYLOAD_AT_U32 = 10;

/** bytes of payload that fit from payload_at on */
export const ARENA_HEADER_ROOM_U32 = 11;

/** offset of the slab for suspended messages */
export const ARENA_HEADER_SLAB_AT_U32 = 12;

/** size of that slab */
export const ARENA_HEADER_SLAB_BYTES_U32 = 13;

/** largest payload of one segment that this stack sends */
export const ARENA_HEADER_MSS_U32 = 14;

/** offset of AddressEntry 0, one per slot; 0: this stack speaks no IPv6 */
export const ARENA_HEADER_ADDRESSES_AT_U32 = 15;

/** offset of info place 0 of app 0: INFOS_PER_APP places of INFO_BYTES for each app */
export const ARENA_HEADER_INFOS_AT_U32 = 16;

/** stack threads, 1 to STACKS_MAX */
export const ARENA_HEADER_STACKS_U32 = 17;

/** slots of each stack: those of stack k begin at k * slots_per_stack */
export const ARENA_HEADER_SLOTS_PER_STACK_U32 = 18;

/** RX packets of each stack: those of stack k begin at k * rx_packets_per_stack */
export const ARENA_HEADER_RX_PACKETS_PER_STACK_U32 = 19;

/** the same of TX packets, from rx_packets on */
export const ARENA_HEADER_TX_PACKETS_PER_STACK_U32 = 20;

// AppLine: One line per app thread at APP_LINES_AT; written by that thread alone.

/** Size in bytes. */
export const APP_LINE_BYTES = 64;

/** current stamp; the poller writes it before it enters JavaScript */
export const APP_LINE_STAMP_U32 = 0;

/** 0 while the poller runs; the number of this sleep (never 0) while it waits for the eventfd */
export const APP_LINE_WAITING_U32 = 1;

/** turns of the poller, modulo 2^32: the heartbeat */
export const APP_LINE_TURNS_U32 = 2;

/** stamp at which JavaScript wants a turn, at most 137 s ahead; valid while deadline_set is 1 */
export const APP_LINE_DEADLINE_U32 = 3;

/** 1: deadline holds; the poller clears it when it enters JavaScript for it */
export const APP_LINE_DEADLINE_SET_U32 = 4;

/** 1: a record in the empty ring is a reason to enter JavaScript */
export const APP_LINE_WANT_BUFFERS_U32 = 5;

/** bit L: records in event[L] are no reason to enter JavaScript */
export const APP_LINE_QUIET_LEVELS_U32 = 6;

// StackLine: One line per stack at STACK_LINES_AT; written by its thread alone.

/** Size in bytes. */
export const STACK_LINE_BYTES = 64;

/** stamp of the current turn */
export const STACK_LINE_STAMP_U32 = 0;

/** turns so far, modulo 2^32: the heartbeat */
export const STACK_LINE_TURNS_U32 = 1;

/** 1: data comes in faster than a burst a turn, and lower levels are to wait until it is judged */
export const STACK_LINE_BEHIND_U32 = 2;

// RingEntry: Entry of the directory at RING_DIRECTORY_AT: RINGS_PER_APP for each app of stack 0, then of stack 1, …

/** Size in bytes. */
export const RING_ENTRY_BYTES = 16;

/** offset of the RingHeader in the arena; 0: this ring does not exist */
export const RING_ENTRY_HEADER_AT_U32 = 0;

/** offset of record 0 */
export const RING_ENTRY_RECORDS_AT_U32 = 1;

/** records, a power of two */
export const RING_ENTRY_CAPACITY_U32 = 2;

/** size of one record */
export const RING_ENTRY_RECORD_BYTES_U32 = 3;

// RingHeader: Two lines of a ring: free-running counts of records, published once per turn.

/** Size in bytes. */
export const RING_HEADER_BYTES = 128;

/** records written so far (producer) */
export const RING_HEADER_TAIL_U32 = 0;

/** records taken so far (consumer) */
export const RING_HEADER_HEAD_U32 = 16;

// EventRecord: Stack to app.

/** Size in bytes. */
export const EVENT_RECORD_BYTES = 64;

/** EventType */
export const EVENT_RECORD_TYPE_U8 = 0;

/** level of the message, 0 is the highest */
export const EVENT_RECORD_LEVEL_U8 = 1;

/** number of the listener; 0xffff for an active open */
export const EVENT_RECORD_LISTENER_U16 = 1;

/** connection */
export const EVENT_RECORD_SLOT_U32 = 1;

/** connection */
export const EVENT_RECORD_GENERATION_U32 = 2;

/** index of the packet that holds the message; NO_INDEX in other events */
export const EVENT_RECORD_PACKET_U32 = 3;

/** message, info: first byte, from the arena's start */
export const EVENT_RECORD_OFFSET_U32 = 4;

/** message, info: bytes */
export const EVENT_RECORD_LENGTH_U32 = 5;

/** IPv4, host order; 0: IPv6, in the slot's AddressEntry */
export const EVENT_RECORD_REMOTE_ADDRESS_U32 = 6;

export const EVENT_RECORD_REMOTE_PORT_U16 = 14;

export const EVENT_RECORD_LOCAL_PORT_U16 = 15;

/** IPv4, host order; 0: IPv6, or not known */
export const EVENT_RECORD_LOCAL_ADDRESS_U32 = 8;

/** drained, info: as given in the record that asked */
export const EVENT_RECORD_COOKIE_U32 = 9;

/** opened: cookie of the connect record, low half; 0 for a passive open */
export const EVENT_RECORD_TOKEN_LOW_U32 = 10;

/** opened: high half */
export const EVENT_RECORD_TOKEN_HIGH_U32 = 11;

/** when the frame was polled */
export const EVENT_RECORD_RX_STAMP_U32 = 12;

/** when TCP passed it on */
export const EVENT_RECORD_TCP_STAMP_U32 = 13;

/** when the record was written */
export const EVENT_RECORD_RING_STAMP_U32 = 14;

/** closed: CloseReason */
export const EVENT_RECORD_REASON_U32 = 15;

// AddressEntry: IPv6 addresses of the connection in this slot. The stack writes the generation first: a reader looks at it last.

/** Size in bytes. */
export const ADDRESS_ENTRY_BYTES = 48;

/** whose they are */
export const ADDRESS_ENTRY_GENERATION_U32 = 0;

export const ADDRESS_ENTRY_RESERVED_0_U32 = 1;

export const ADDRESS_ENTRY_RESERVED_1_U32 = 2;

export const ADDRESS_ENTRY_RESERVED_2_U32 = 3;

/** bytes 0 to 3 of the remote address, as on the wire */
export const ADDRESS_ENTRY_REMOTE_0_U32 = 4;

/** bytes 4 to 7 of the remote address, as on the wire */
export const ADDRESS_ENTRY_REMOTE_4_U32 = 5;

/** bytes 8 to 11 of the remote address, as on the wire */
export const ADDRESS_ENTRY_REMOTE_8_U32 = 6;

/** bytes 12 to 15 of the remote address, as on the wire */
export const ADDRESS_ENTRY_REMOTE_12_U32 = 7;

/** bytes 0 to 3 of the local address, as on the wire */
export const ADDRESS_ENTRY_LOCAL_0_U32 = 8;

/** bytes 4 to 7 of the local address, as on the wire */
export const ADDRESS_ENTRY_LOCAL_4_U32 = 9;

/** bytes 8 to 11 of the local address, as on the wire */
export const ADDRESS_ENTRY_LOCAL_8_U32 = 10;

/** bytes 12 to 15 of the local address, as on the wire */
export const ADDRESS_ENTRY_LOCAL_12_U32 = 11;

// SendRecord: App to stack.

/** Size in bytes. */
export const SEND_RECORD_BYTES = 32;

/** SendType */
export const SEND_RECORD_TYPE_U8 = 0;

/** level of the bytes */
export const SEND_RECORD_LEVEL_U8 = 1;

/** SendFlag bits */
export const SEND_RECORD_FLAGS_U16 = 1;

/** connection; connect: remote address */
export const SEND_RECORD_SLOT_U32 = 1;

/** connection; connect: remote port | local port << 16 */
export const SEND_RECORD_GENERATION_U32 = 2;

/** index of a TX packet that this app owns; drain: low water; connect: listener number; option: its number; info: place of the answer */
export const SEND_RECORD_PACKET_U32 = 3;

/** first payload byte, from payload_at of the element */
export const SEND_RECORD_OFFSET_U16 = 8;

/** payload bytes */
export const SEND_RECORD_LENGTH_U16 = 9;

/** rx_stamp of the message that this answers, else 0 */
export const SEND_RECORD_RX_STAMP_U32 = 5;

/** when the record was written */
export const SEND_RECORD_SEND_STAMP_U32 = 6;

/** drain, info: comes back in the event; connect: token; option: its value */
export const SEND_RECORD_COOKIE_U32 = 7;

// ReleaseRecord: App to stack: one reference of an RX packet comes back.

/** Size in bytes. */
export const RELEASE_RECORD_BYTES = 16;

/** index of the packet */
export const RELEASE_RECORD_PACKET_U32 = 0;

/** connection that the message came from */
export const RELEASE_RECORD_SLOT_U32 = 1;

export const RELEASE_RECORD_GENERATION_U32 = 2;

/** bytes that leave the receive window: the length of the message */
export const RELEASE_RECORD_LENGTH_U32 = 3;

// ConnectionInfo: State of one connection, as TCP_INFO of Linux gives it. NO_INDEX: not known. SocketOption values follow, a u32 each.

/** Size in bytes. */
export const CONNECTION_INFO_BYTES = 208;

/** ConnectionState */
export const CONNECTION_INFO_STATE_U8 = 0;

/** RecoveryState */
export const CONNECTION_INFO_CA_STATE_U8 = 1;

/** time-outs and zero-window probes in a row without an answer */
export const CONNECTION_INFO_RETRANSMITS_U8 = 2;

/** keepalive probes in a row without an answer */
export const CONNECTION_INFO_PROBES_U8 = 3;

/** doublings of the RTO */
export const CONNECTION_INFO_BACKOFF_U8 = 4;

/** InfoOption bits: what both sides agreed to */
export const CONNECTION_INFO_OPTIONS_U8 = 5;

/** shift of the peer's windows */
export const CONNECTION_INFO_SND_WSCALE_U8 = 6;

/** shift of our windows */
export const CONNECTION_INFO_RCV_WSCALE_U8 = 7;

/** retransmission time-out, backoff included */
export const CONNECTION_INFO_RTO_US_U32 = 2;

/** how long an ACK may be delayed */
export const CONNECTION_INFO_ATO_US_U32 = 3;

/** largest payload of a segment that we send */
export const CONNECTION_INFO_SND_MSS_U32 = 4;

/** MSS that we announce */
export const CONNECTION_INFO_ADVMSS_U32 = 5;

/** bytes of an IP packet that we send at most */
export const CONNECTION_INFO_PMTU_U32 = 6;

/** segments sent and not acknowledged */
export const CONNECTION_INFO_UNACKED_U32 = 7;

/** of these: reported as received */
export const CONNECTION_INFO_SACKED_U32 = 8;

/** of these: taken as lost and not sent again yet */
export const CONNECTION_INFO_LOST_U32 = 9;

/** of these: sent more than once */
export const CONNECTION_INFO_RETRANS_U32 = 10;

/** since the newest of these was sent; NO_INDEX: none is in flight. With sums: the last data */
export const CONNECTION_INFO_LAST_DATA_SENT_MS_U32 = 11;

/** since the last segment of any kind came */
export const CONNECTION_INFO_LAST_RECV_MS_U32 = 12;

/** smoothed round-trip time; 0: not measured yet */
export const CONNECTION_INFO_RTT_US_U32 = 13;

/** its variation */
export const CONNECTION_INFO_RTTVAR_US_U32 = 14;

/** smallest since data last began to flow; NO_INDEX while idle */
export const CONNECTION_INFO_MIN_RTT_US_U32 = 15;

/** congestion window, in segments */
export const CONNECTION_INFO_SND_CWND_U32 = 16;

/** slow start threshold, in segments; NO_INDEX: no congestion was seen yet */
export const CONNECTION_INFO_SND_SSTHRESH_U32 = 17;

/** how long RACK waits for reordered segments; NO_INDEX while idle */
export const CONNECTION_INFO_REORD_WINDOW_US_U32 = 18;

/** segments sent again since the connection was opened; stays at 65,535 */
export const CONNECTION_INFO_TOTAL_RETRANS_U32 = 19;

/** bytes per second that segments are spread out to; 0: they are not */
export const CONNECTION_INFO_PACING_RATE_U32 = 20;

/** bytes per second over the newest RTT; NO_INDEX while idle */
export const CONNECTION_INFO_DELIVERY_RATE_U32 = 21;

/** queued and not sent yet */
export const CONNECTION_INFO_NOTSENT_BYTES_U32 = 22;

/** sent and not acknowledged */
export const CONNECTION_INFO_UNACKED_BYTES_U32 = 23;

/** stream: handed to the app and not released */
export const CONNECTION_INFO_UNREAD_BYTES_U32 = 24;

/** segments held behind a hole */
export const CONNECTION_INFO_OUT_OF_ORDER_U32 = 25;

/** the peer's window, in bytes */
export const CONNECTION_INFO_SND_WND_U32 = 26;

/** our window, in bytes */
export const CONNECTION_INFO_RCV_WND_U32 = 27;

/** from what the app reads next to the end of the urgent data */
export const CONNECTION_INFO_URGENT_BYTES_U32 = 28;

/** 1: what follows is kept, since the option sums was set; 0: it is not known */
export const CONNECTION_INFO_SUMS_U32 = 29;

/** payload, repetitions included */
export const CONNECTION_INFO_BYTES_SENT_U32 = 30;

/** of these: repetitions */
export const CONNECTION_INFO_BYTES_RETRANS_U32 = 32;

/** payload that the peer has acknowledged */
export const CONNECTION_INFO_BYTES_ACKED_U32 = 34;

/** payload received in order */
export const CONNECTION_INFO_BYTES_RECEIVED_U32 = 36;

/** segments sent */
export const CONNECTION_INFO_SEGS_OUT_U32 = 38;

/** segments that came */
export const CONNECTION_INFO_SEGS_IN_U32 = 39;

/** of the former: with payload */
export const CONNECTION_INFO_DATA_SEGS_OUT_U32 = 40;

/** of the latter: with payload */
export const CONNECTION_INFO_DATA_SEGS_IN_U32 = 41;

/** segments acknowledged or sacked for the first time */
export const CONNECTION_INFO_DELIVERED_U32 = 42;

/** of these: by an ACK with ECE */
export const CONNECTION_INFO_DELIVERED_CE_U32 = 43;

/** D-SACKs received */
export const CONNECTION_INFO_DSACK_DUPS_U32 = 44;

/** segments delivered after later ones */
export const CONNECTION_INFO_REORD_SEEN_U32 = 45;

/** segments received out of order */
export const CONNECTION_INFO_RCV_OOOPACK_U32 = 46;

/** since the last payload came */
export const CONNECTION_INFO_LAST_DATA_RECV_MS_U32 = 47;

/** since the last ACK came */
export const CONNECTION_INFO_LAST_ACK_RECV_MS_U32 = 48;

// RedisCommand: JavaScript to the Redis client of its own thread, in the client's block.

/** Size in bytes. */
export const REDIS_COMMAND_BYTES = 64;

/** comes back in the completion */
export const REDIS_COMMAND_OP_U32 = 0;

/** number of the template; REDIS_RAW: argument 0 is the whole command, argument 1 its key */
export const REDIS_COMMAND_SHAPE_U16 = 2;

/** level of the command, 0 is the highest */
export const REDIS_COMMAND_LEVEL_U8 = 6;

/** arguments in use, 0 to REDIS_ARGUMENTS_MAX */
export const REDIS_COMMAND_ARGUMENTS_U8 = 7;

/** which server; REDIS_BY_KEY: the one that has the slot of the key */
export const REDIS_COMMAND_SHARD_U16 = 4;

/** bit k: argument k lies in the client's scratch area, else in the stack's arena; REDIS_PEER_TEXT */
export const REDIS_COMMAND_SCRATCH_U8 = 10;

/** from now on; then it completes as timeout */
export const REDIS_COMMAND_TIMEOUT_MS_U32 = 3;

/** for a peer hole: IPv4, host order; of an IPv6 peer: where in the scratch area its text lies */
export const REDIS_COMMAND_PEER_ADDRESS_U32 = 4;

/** of an IPv6 peer: bytes of its text */
export const REDIS_COMMAND_PEER_PORT_U16 = 10;

/** how long before the start of the op its message came to the stack */
export const REDIS_COMMAND_WAITED_MS_U16 = 11;

/** for a number hole */
export const REDIS_COMMAND_NUMBER_U32 = 6;

/** when the op started */
export const REDIS_COMMAND_STAMP_U32 = 7;

/** first byte of argument 0 */
export const REDIS_COMMAND_OFFSET_0_U32 = 8;

/** bytes of argument 0 */
export const REDIS_COMMAND_LENGTH_0_U32 = 9;

export const REDIS_COMMAND_OFFSET_1_U32 = 10;

export const REDIS_COMMAND_LENGTH_1_U32 = 11;

export const REDIS_COMMAND_OFFSET_2_U32 = 12;

export const REDIS_COMMAND_LENGTH_2_U32 = 13;

export const REDIS_COMMAND_OFFSET_3_U32 = 14;

export const REDIS_COMMAND_LENGTH_3_U32 = 15;

// RedisCompletion: Redis client to JavaScript: the outcome of one command.

/** Size in bytes. */
export const REDIS_COMPLETION_BYTES = 32;

/** of the command */
export const REDIS_COMPLETION_OP_U32 = 0;

/** RedisStatus */
export const REDIS_COMPLETION_STATUS_U8 = 4;

/** RedisType of the reply */
export const REDIS_COMPLETION_TYPE_U8 = 5;

/** which server */
export const REDIS_COMPLETION_SHARD_U16 = 3;

/** first byte of the value, from the block's start */
export const REDIS_COMPLETION_OFFSET_U32 = 2;

/** bytes of the value; an array: of its items, each with a type and a length */
export const REDIS_COMPLETION_LENGTH_U32 = 3;

/** integer reply, low half */
export const REDIS_COMPLETION_VALUE_LOW_U32 = 4;

/** integer reply, high half */
export const REDIS_COMPLETION_VALUE_HIGH_U32 = 5;

/** what holds the value: goes back in the release ring; NO_INDEX: nothing to give back */
export const REDIS_COMPLETION_PLACE_U32 = 6;

/** stamps from the start of the op to its outcome */
export const REDIS_COMPLETION_ELAPSED_U32 = 7;
