// The one description of everything that C++ and TypeScript both see in a stack's arena.
// In: nothing. Out: structs, enumerations and constants, from which generate.ts writes native/abi/layout.hh and stack/abi.ts.
// Invariant: all fields are little-endian and naturally aligned; exactly one thread writes each 64-byte line. What the records
// mean and in which order they travel stands in docs/ARCHITECTURE.md 4. Any change here that an older reader would misread
// counts ABI_VERSION up.

export type FieldType = 'u8' | 'u16' | 'u32' | 'u64';

export interface Field {
  readonly name: string;
  /** Byte offset from the start of the struct. */
  readonly at: number;
  readonly type: FieldType;
  readonly doc: string;
}

export interface Struct {
  readonly name: string;
  readonly bytes: number;
  readonly align: number;
  readonly doc: string;
  readonly fields: readonly Field[];
}

export interface Enumeration {
  readonly name: string;
  readonly type: FieldType;
  readonly doc: string;
  readonly values: readonly {
    readonly name: string;
    readonly value: number;
    readonly doc: string;
    /** Smallest and largest value that an option of this number takes. */
    readonly range?: readonly [number, number];
  }[];
}

export interface Constant {
  readonly name: string;
  readonly value: number;
  readonly hex?: boolean;
  readonly doc: string;
}

export interface Layout {
  readonly constants: readonly Constant[];
  readonly enumerations: readonly Enumeration[];
  readonly structs: readonly Struct[];
}

const SIZE: Record<FieldType, number> = { u8: 1, u16: 2, u32: 4, u64: 8 };

export function sizeOf(type: FieldType): number {
  return SIZE[type];
}

/** Fields one after the other; `name: type: doc` each, offsets by natural alignment. */
function sequence(lines: readonly (readonly [string, FieldType, string])[]): Field[] {
  let at = 0;
  return lines.map(([name, type, doc]) => {
    at = Math.ceil(at / SIZE[type]) * SIZE[type];
    const field = { name, at, type, doc };
    at += SIZE[type];
    return field;
  });
}

/** `name, smallest, largest, doc` each, numbered from 0. */
function socketOptions(lines: readonly (readonly [string, number, number, string])[]) {
  return lines.map(([name, min, max, doc], value) => ({ name, value, doc, range: [min, max] as const }));
}

const header: Struct = {
  name: 'ArenaHeader',
  bytes: 256,
  align: 64,
  doc: 'First bytes of the arena. Written before any other thread sees it.',
  fields: sequence([
    ['magic', 'u32', 'ARENA_MAGIC'],
    ['abi_version', 'u32', 'ABI_VERSION'],
    ['arena_bytes', 'u32', 'size of the arena'],
    ['levels', 'u32', 'priority levels in use, 1 to LEVELS_MAX'],
    ['apps', 'u32', 'app threads, 1 to APPS_MAX'],
    ['connections', 'u32', 'slots of all stacks: a connection is 0 to connections - 1'],
    ['region_at', 'u32', 'offset of packet element 0'],
    ['stride', 'u32', 'bytes from one packet element to the next'],
    ['packets', 'u32', 'packet elements: RX of all stacks first, then TX of all'],
    ['rx_packets', 'u32', 'packets of the RX pools: the first TX packet has this index'],
    ['payload_at', 'u32', 'offset of a TX payload within its element (full headroom before it)'],
    ['room', 'u32', 'bytes of payload that fit from payload_at on'],
    ['slab_at', 'u32', 'offset of the slab for suspended messages'],
    ['slab_bytes', 'u32', 'size of that slab'],
    ['mss', 'u32', 'largest payload of one segment that this stack sends'],
    ['addresses_at', 'u32', 'offset of AddressEntry 0, one per slot; 0: this stack speaks no IPv6'],
    ['infos_at', 'u32', 'offset of info place 0 of app 0: INFOS_PER_APP places of INFO_BYTES for each app'],
    ['stacks', 'u32', 'stack threads, 1 to STACKS_MAX'],
    ['slots_per_stack', 'u32', 'slots of each stack: those of stack k begin at k * slots_per_stack'],
    ['rx_packets_per_stack', 'u32', 'RX packets of each stack: those of stack k begin at k * rx_packets_per_stack'],
    ['tx_packets_per_stack', 'u32', 'the same of TX packets, from rx_packets on'],
  ]),
};

const stackLine: Struct = {
  name: 'StackLine',
  bytes: 64,
  align: 64,
  doc: 'One line per stack at STACK_LINES_AT; written by its thread alone.',
  fields: sequence([
    ['stamp', 'u32', 'stamp of the current turn'],
    ['turns', 'u32', 'turns so far, modulo 2^32: the heartbeat'],
    ['behind', 'u32', '1: data comes in faster than a burst a turn, and lower levels are to wait until it is judged'],
  ]),
};

const appLine: Struct = {
  name: 'AppLine',
  bytes: 64,
  align: 64,
  doc: 'One line per app thread at APP_LINES_AT; written by that thread alone.',
  fields: sequence([
    ['stamp', 'u32', 'current stamp; the poller writes it before it enters JavaScript'],
    ['waiting', 'u32', '0 while the poller runs; the number of this sleep (never 0) while it waits for the eventfd'],
    ['turns', 'u32', 'turns of the poller, modulo 2^32: the heartbeat'],
    ['deadline', 'u32', 'stamp at which JavaScript wants a turn, at most 137 s ahead; valid while deadline_set is 1'],
    ['deadline_set', 'u32', '1: deadline holds; the poller clears it when it enters JavaScript for it'],
    ['want_buffers', 'u32', '1: a record in the empty ring is a reason to enter JavaScript'],
    ['quiet_levels', 'u32', 'bit L: records in event[L] are no reason to enter JavaScript'],
  ]),
};

const ringEntry: Struct = {
  name: 'RingEntry',
  bytes: 16,
  align: 4,
  doc: 'Entry of the directory at RING_DIRECTORY_AT: RINGS_PER_APP for each app of stack 0, then of stack 1, …',
  fields: sequence([
    ['header_at', 'u32', 'offset of the RingHeader in the arena; 0: this ring does not exist'],
    ['records_at', 'u32', 'offset of record 0'],
    ['capacity', 'u32', 'records, a power of two'],
    ['record_bytes', 'u32', 'size of one record'],
  ]),
};

const ringHeader: Struct = {
  name: 'RingHeader',
  bytes: 128,
  align: 64,
  doc: 'Two lines of a ring: free-running counts of records, published once per turn.',
  fields: [
    { name: 'tail', at: 0, type: 'u32', doc: 'records written so far (producer)' },
    { name: 'head', at: 64, type: 'u32', doc: 'records taken so far (consumer)' },
  ],
};

const event: Struct = {
  name: 'EventRecord',
  bytes: 64,
  align: 64,
  doc: 'Stack to app.',
  fields: sequence([
    ['type', 'u8', 'EventType'],
    ['level', 'u8', 'level of the message, 0 is the highest'],
    ['listener', 'u16', 'number of the listener; 0xffff for an active open'],
    ['slot', 'u32', 'connection'],
    ['generation', 'u32', 'connection'],
    ['packet', 'u32', 'index of the packet that holds the message; NO_INDEX in other events'],
    ['offset', 'u32', "message, info: first byte, from the arena's start"],
    ['length', 'u32', 'message, info: bytes'],
    ['remote_address', 'u32', "IPv4, host order; 0: IPv6, in the slot's AddressEntry"],
    ['remote_port', 'u16', ''],
    ['local_port', 'u16', ''],
    ['local_address', 'u32', 'IPv4, host order; 0: IPv6, or not known'],
    ['cookie', 'u32', 'drained, info: as given in the record that asked'],
    ['token_low', 'u32', 'opened: cookie of the connect record, low half; 0 for a passive open'],
    ['token_high', 'u32', 'opened: high half'],
    ['rx_stamp', 'u32', 'when the frame was polled'],
    ['tcp_stamp', 'u32', 'when TCP passed it on'],
    ['ring_stamp', 'u32', 'when the record was written'],
    ['reason', 'u32', 'closed: CloseReason'],
  ]),
};

const send: Struct = {
  name: 'SendRecord',
  bytes: 32,
  align: 32,
  doc: 'App to stack.',
  fields: sequence([
    ['type', 'u8', 'SendType'],
    ['level', 'u8', 'level of the bytes'],
    ['flags', 'u16', 'SendFlag bits'],
    ['slot', 'u32', 'connection; connect: remote address'],
    ['generation', 'u32', 'connection; connect: remote port | local port << 16'],
    [
      'packet',
      'u32',
      'index of a TX packet that this app owns; drain: low water; connect: listener number; option: its number; info: place of the answer',
    ],
    ['offset', 'u16', 'first payload byte, from payload_at of the element'],
    ['length', 'u16', 'payload bytes'],
    ['rx_stamp', 'u32', 'rx_stamp of the message that this answers, else 0'],
    ['send_stamp', 'u32', 'when the record was written'],
    ['cookie', 'u32', 'drain, info: comes back in the event; connect: token; option: its value'],
  ]),
};

const address: Struct = {
  name: 'AddressEntry',
  bytes: 48,
  align: 16,
  doc: 'IPv6 addresses of the connection in this slot. The stack writes the generation first: a reader looks at it last.',
  fields: sequence([
    ['generation', 'u32', 'whose they are'],
    ['reserved_0', 'u32', ''],
    ['reserved_1', 'u32', ''],
    ['reserved_2', 'u32', ''],
    ...(['remote', 'local'] as const).flatMap((side) =>
      [0, 4, 8, 12].map(
        (at) => [`${side}_${at}`, 'u32', `bytes ${at} to ${at + 3} of the ${side} address, as on the wire`] as const,
      ),
    ),
  ]),
};

const release: Struct = {
  name: 'ReleaseRecord',
  bytes: 16,
  align: 16,
  doc: 'App to stack: one reference of an RX packet comes back.',
  fields: sequence([
    ['packet', 'u32', 'index of the packet'],
    ['slot', 'u32', 'connection that the message came from'],
    ['generation', 'u32', ''],
    ['length', 'u32', 'bytes that leave the receive window: the length of the message'],
  ]),
};

const info: Struct = {
  name: 'ConnectionInfo',
  bytes: 208,
  align: 8,
  doc: 'State of one connection, as TCP_INFO of Linux gives it. NO_INDEX: not known. SocketOption values follow, a u32 each.',
  fields: sequence([
    ['state', 'u8', 'ConnectionState'],
    ['ca_state', 'u8', 'RecoveryState'],
    ['retransmits', 'u8', 'time-outs and zero-window probes in a row without an answer'],
    ['probes', 'u8', 'keepalive probes in a row without an answer'],
    ['backoff', 'u8', 'doublings of the RTO'],
    ['options', 'u8', 'InfoOption bits: what both sides agreed to'],
    ['snd_wscale', 'u8', "shift of the peer's windows"],
    ['rcv_wscale', 'u8', 'shift of our windows'],
    ['rto_us', 'u32', 'retransmission time-out, backoff included'],
    ['ato_us', 'u32', 'how long an ACK may be delayed'],
    ['snd_mss', 'u32', 'largest payload of a segment that we send'],
    ['advmss', 'u32', 'MSS that we announce'],
    ['pmtu', 'u32', 'bytes of an IP packet that we send at most'],
    ['unacked', 'u32', 'segments sent and not acknowledged'],
    ['sacked', 'u32', 'of these: reported as received'],
    ['lost', 'u32', 'of these: taken as lost and not sent again yet'],
    ['retrans', 'u32', 'of these: sent more than once'],
    [
      'last_data_sent_ms',
      'u32',
      'since the newest of these was sent; NO_INDEX: none is in flight. With sums: the last data',
    ],
    ['last_recv_ms', 'u32', 'since the last segment of any kind came'],
    ['rtt_us', 'u32', 'smoothed round-trip time; 0: not measured yet'],
    ['rttvar_us', 'u32', 'its variation'],
    ['min_rtt_us', 'u32', 'smallest since data last began to flow; NO_INDEX while idle'],
    ['snd_cwnd', 'u32', 'congestion window, in segments'],
    ['snd_ssthresh', 'u32', 'slow start threshold, in segments; NO_INDEX: no congestion was seen yet'],
    ['reord_window_us', 'u32', 'how long RACK waits for reordered segments; NO_INDEX while idle'],
    ['total_retrans', 'u32', 'segments sent again since the connection was opened; stays at 65,535'],
    ['pacing_rate', 'u32', 'bytes per second that segments are spread out to; 0: they are not'],
    ['delivery_rate', 'u32', 'bytes per second over the newest RTT; NO_INDEX while idle'],
    ['notsent_bytes', 'u32', 'queued and not sent yet'],
    ['unacked_bytes', 'u32', 'sent and not acknowledged'],
    ['unread_bytes', 'u32', 'stream: handed to the app and not released'],
    ['out_of_order', 'u32', 'segments held behind a hole'],
    ['snd_wnd', 'u32', "the peer's window, in bytes"],
    ['rcv_wnd', 'u32', 'our window, in bytes'],
    ['urgent_bytes', 'u32', 'from what the app reads next to the end of the urgent data'],
    ['sums', 'u32', '1: what follows is kept, since the option sums was set; 0: it is not known'],
    ['bytes_sent', 'u64', 'payload, repetitions included'],
    ['bytes_retrans', 'u64', 'of these: repetitions'],
    ['bytes_acked', 'u64', 'payload that the peer has acknowledged'],
    ['bytes_received', 'u64', 'payload received in order'],
    ['segs_out', 'u32', 'segments sent'],
    ['segs_in', 'u32', 'segments that came'],
    ['data_segs_out', 'u32', 'of the former: with payload'],
    ['data_segs_in', 'u32', 'of the latter: with payload'],
    ['delivered', 'u32', 'segments acknowledged or sacked for the first time'],
    ['delivered_ce', 'u32', 'of these: by an ACK with ECE'],
    ['dsack_dups', 'u32', 'D-SACKs received'],
    ['reord_seen', 'u32', 'segments delivered after later ones'],
    ['rcv_ooopack', 'u32', 'segments received out of order'],
    ['last_data_recv_ms', 'u32', 'since the last payload came'],
    ['last_ack_recv_ms', 'u32', 'since the last ACK came'],
  ]),
};

const redisCommand: Struct = {
  name: 'RedisCommand',
  bytes: 64,
  align: 64,
  doc: "JavaScript to the Redis client of its own thread, in the client's block.",
  fields: sequence([
    ['op', 'u32', 'comes back in the completion'],
    ['shape', 'u16', 'number of the template; REDIS_RAW: argument 0 is the whole command, argument 1 its key'],
    ['level', 'u8', 'level of the command, 0 is the highest'],
    ['arguments', 'u8', 'arguments in use, 0 to REDIS_ARGUMENTS_MAX'],
    ['shard', 'u16', 'which server; REDIS_BY_KEY: the one that has the slot of the key'],
    [
      'scratch',
      'u8',
      "bit k: argument k lies in the client's scratch area, else in the stack's arena; REDIS_PEER_TEXT",
    ],
    ['timeout_ms', 'u32', 'from now on; then it completes as timeout'],
    [
      'peer_address',
      'u32',
      'for a peer hole: IPv4, host order; of an IPv6 peer: where in the scratch area its text lies',
    ],
    ['peer_port', 'u16', 'of an IPv6 peer: bytes of its text'],
    ['waited_ms', 'u16', 'how long before the start of the op its message came to the stack'],
    ['number', 'u32', 'for a number hole'],
    ['stamp', 'u32', 'when the op started'],
    ['offset_0', 'u32', 'first byte of argument 0'],
    ['length_0', 'u32', 'bytes of argument 0'],
    ['offset_1', 'u32', ''],
    ['length_1', 'u32', ''],
    ['offset_2', 'u32', ''],
    ['length_2', 'u32', ''],
    ['offset_3', 'u32', ''],
    ['length_3', 'u32', ''],
  ]),
};

const redisCompletion: Struct = {
  name: 'RedisCompletion',
  bytes: 32,
  align: 32,
  doc: 'Redis client to JavaScript: the outcome of one command.',
  fields: sequence([
    ['op', 'u32', 'of the command'],
    ['status', 'u8', 'RedisStatus'],
    ['type', 'u8', 'RedisType of the reply'],
    ['shard', 'u16', 'which server'],
    ['offset', 'u32', "first byte of the value, from the block's start"],
    ['length', 'u32', 'bytes of the value; an array: of its items, each with a type and a length'],
    ['value_low', 'u32', 'integer reply, low half'],
    ['value_high', 'u32', 'integer reply, high half'],
    ['place', 'u32', 'what holds the value: goes back in the release ring; NO_INDEX: nothing to give back'],
    ['elapsed', 'u32', 'stamps from the start of the op to its outcome'],
  ]),
};

export const layout: Layout = {
  constants: [
    { name: 'abi_version', value: 2, doc: 'Counted up whenever an older reader would misread the arena.' },
    { name: 'arena_magic', value: 0x4b545351, hex: true, doc: '"QSTK"' },
    { name: 'header_bytes', value: 77824, doc: 'ArenaHeader, app lines, stack lines and ring directory together.' },
    { name: 'app_lines_at', value: 256, doc: 'Offset of AppLine 0.' },
    { name: 'stack_lines_at', value: 3072, doc: 'Offset of StackLine 0.' },
    { name: 'ring_directory_at', value: 4096, doc: 'Offset of RingEntry 0.' },
    { name: 'apps_max', value: 32, doc: 'App threads.' },
    { name: 'stacks_max', value: 16, doc: 'Stack threads of one arena.' },
    { name: 'ring_sets_max', value: 256, doc: 'Stacks times app threads: each pair has its set of rings.' },
    { name: 'levels_max', value: 8, doc: 'Priority levels.' },
    { name: 'rings_per_app', value: 18, doc: 'Directory entries of one stack and one app thread.' },
    { name: 'ring_event', value: 0, doc: 'Directory index of event[0]; event[L] is L further.' },
    { name: 'ring_send', value: 8, doc: 'Directory index of send[0]; send[L] is L further.' },
    { name: 'ring_release', value: 16, doc: 'Directory index of the release ring.' },
    { name: 'ring_empty', value: 17, doc: 'Directory index of the empty ring.' },
    { name: 'empty_record_bytes', value: 4, doc: 'A record of the empty ring is the u32 index of a TX packet.' },
    { name: 'no_index', value: 0xffffffff, hex: true, doc: 'No packet, no slot.' },
    { name: 'no_listener', value: 0xffff, hex: true, doc: 'Listener number of an active open.' },
    { name: 'infos_per_app', value: 16, doc: 'Info questions that an app thread may have open.' },
    { name: 'info_bytes', value: 384, doc: 'A ConnectionInfo, and a u32 for each SocketOption.' },
    { name: 'redis_arguments_max', value: 4, doc: 'Arguments of one RedisCommand.' },
    { name: 'redis_by_key', value: 0xffff, hex: true, doc: 'RedisCommand.shard: chosen by the key.' },
    {
      name: 'redis_peer_text',
      value: 0x80,
      hex: true,
      doc: 'RedisCommand.scratch: the peer is text in the scratch area.',
    },
    { name: 'redis_raw', value: 0, doc: 'RedisCommand.shape: the command is complete in argument 0.' },
    { name: 'stamp_shift', value: 6, doc: 'A stamp is monotonic nanoseconds >> 6, modulo 2^32.' },
  ],
  enumerations: [
    {
      name: 'EventType',
      type: 'u8',
      doc: 'EventRecord.type',
      values: [
        { name: 'opened', value: 1, doc: 'a connection is established; in ring 0' },
        { name: 'message', value: 2, doc: 'one message, or a chunk of a stream; in the ring of its level' },
        { name: 'ended', value: 3, doc: 'the peer sent FIN; in the lowest ring' },
        { name: 'closed', value: 4, doc: 'last event of a connection; in the lowest ring' },
        { name: 'drained', value: 5, doc: 'a drain request is answered; in the lowest ring' },
        {
          name: 'info',
          value: 6,
          doc: "a ConnectionInfo and options are in the app's place; in the lowest ring",
        },
        { name: 'urgent', value: 7, doc: 'the peer has sent an urgent pointer; in the lowest ring' },
      ],
    },
    {
      name: 'SendType',
      type: 'u8',
      doc: 'SendRecord.type',
      values: [
        { name: 'send', value: 1, doc: 'payload bytes' },
        { name: 'shutdown', value: 2, doc: 'FIN after what is queued (half close); in the lowest ring' },
        { name: 'close', value: 3, doc: 'FIN, and no more interest; in the lowest ring' },
        { name: 'abort', value: 4, doc: 'RST at once' },
        { name: 'drain', value: 5, doc: 'asks for a drained event; in the lowest ring' },
        { name: 'connect', value: 6, doc: 'active open' },
        {
          name: 'connect_ipv6',
          value: 7,
          doc: 'the same to an IPv6 address, in wire order: slot, offset and length, rx_stamp, send_stamp',
        },
        {
          name: 'option',
          value: 8,
          doc: 'sets an option: its number in packet, its value in cookie; in the lowest ring',
        },
        { name: 'info', value: 9, doc: 'asks for an info event; in the lowest ring' },
      ],
    },
    {
      name: 'SendFlag',
      type: 'u16',
      doc: 'SendRecord.flags, bits',
      values: [{ name: 'more', value: 1, doc: 'more of this message follows' }],
    },
    {
      name: 'CloseCode',
      type: 'u32',
      doc: 'EventRecord.reason of a closed event: the values of CloseReason in native/tcp/app.hh',
      values: [
        { name: 'finished', value: 0, doc: 'both sides sent FIN and every byte was acknowledged' },
        { name: 'reset', value: 1, doc: 'the peer sent RST' },
        { name: 'aborted', value: 2, doc: 'we sent RST on demand' },
        { name: 'timed_out', value: 3, doc: 'retransmissions ran out' },
        { name: 'idle', value: 4, doc: 'idle timeout' },
        { name: 'refused', value: 5, doc: 'active open answered by RST' },
        { name: 'unreachable', value: 6, doc: 'no route, or no answer to ARP or NDP' },
        { name: 'stack_stopped', value: 7, doc: 'the stack goes down' },
        { name: 'app_lost', value: 8, doc: 'the app thread that owned it died' },
        { name: 'bad_message', value: 9, doc: 'the peer announced a message of a length that there is not' },
        {
          name: 'elsewhere',
          value: 10,
          doc: 'active open: its ports lead to another stack, whose number is in length; not begun',
        },
      ],
    },
    {
      name: 'ConnectionState',
      type: 'u8',
      doc: 'ConnectionInfo.state: the values of TcpState in native/tcp/tcb.hh',
      values: [
        { name: 'closed', value: 0, doc: '' },
        { name: 'syn_sent', value: 1, doc: '' },
        { name: 'syn_received', value: 2, doc: 'simultaneous open' },
        { name: 'established', value: 3, doc: '' },
        { name: 'fin_wait_1', value: 4, doc: '' },
        { name: 'fin_wait_2', value: 5, doc: '' },
        { name: 'close_wait', value: 6, doc: '' },
        { name: 'closing', value: 7, doc: '' },
        { name: 'last_ack', value: 8, doc: '' },
      ],
    },
    {
      name: 'RecoveryState',
      type: 'u8',
      doc: 'ConnectionInfo.ca_state, as in Linux',
      values: [
        { name: 'open', value: 0, doc: 'nothing is missing' },
        { name: 'disorder', value: 1, doc: 'something is missing, and may be reordered' },
        { name: 'cwr', value: 2, doc: 'the window was reduced, nothing is sent again' },
        { name: 'recovery', value: 3, doc: 'fast recovery' },
        { name: 'loss', value: 4, doc: 'after a time-out' },
      ],
    },
    {
      name: 'InfoOption',
      type: 'u8',
      doc: 'ConnectionInfo.options, bits as in Linux',
      values: [
        { name: 'timestamps', value: 1, doc: '' },
        { name: 'sack', value: 2, doc: '' },
        { name: 'wscale', value: 4, doc: '' },
        { name: 'ecn', value: 8, doc: '' },
      ],
    },
    {
      name: 'SocketOption',
      type: 'u8',
      doc: 'SendRecord.packet of an option record, and the place of its value. docs/sockets.md says more',
      values: socketOptions([
        ['no_delay', 0, 1, '0: small segments wait for the ACK of those before (Nagle)'],
        ['quick_ack', 0, 1, '1: no ACK is delayed'],
        ['delayed_ack_ms', 0, 500, 'how long an ACK may wait for data'],
        ['keepalive', 0, 1, '1: a silent peer is probed'],
        ['keepalive_idle_ms', 1_000, 604_800_000, 'silence before the first probe, to within an eighth'],
        ['keepalive_interval_ms', 100, 86_400_000, 'from one probe to the next'],
        ['keepalive_count', 1, 127, 'probes without an answer until the connection is given up'],
        ['user_timeout_ms', 0, 86_400_000, 'how long data may stay unacknowledged; 0: `retries` decides'],
        ['linger_ms', 0, 86_400_000, 'close: RST when it takes longer, 0 at once; NO_INDEX: FIN, and no hurry'],
        ['max_segment', 0, 65_535, 'bounds the MSS of both directions; 0: only the path does'],
        ['congestion', 1, 3, 'Congestion in native/tcp/congestion.hh: 1 cubic, 2 newreno, 3 dctcp'],
        ['pacing_rate', 0, 0xfffffffe, 'bytes of payload per second; 0: no limit'],
        ['receive_buffer', 2_048, 2 ** 30, 'the largest window that we offer, as far as the agreed scale goes'],
        ['send_buffer', 2_048, 2 ** 30, 'bytes unsent and unacknowledged up to which the app may write'],
        ['not_sent_low_water', 1, 2 ** 30, 'bytes unsent up to which the app may write; NO_INDEX: send_buffer decides'],
        ['dscp', 0, 63, 'code point of what we send (RFC 2474)'],
        ['ttl', 1, 255, 'TTL or hop limit of what we send'],
        ['rto_min_ms', 1, 60_000, 'the shortest retransmission time-out'],
        ['retries', 1, 255, 'time-outs in a row until the connection is given up (R2 of RFC 9293 3.8.3)'],
        ['syn_retries', 0, 7, 'the same for a SYN'],
        ['sums', 0, 1, '1: sums of bytes and segments are kept for ConnectionInfo'],
      ]),
    },
    {
      name: 'RedisStatus',
      type: 'u8',
      doc: 'RedisCompletion.status',
      values: [
        { name: 'ok', value: 0, doc: 'a reply came' },
        { name: 'error', value: 1, doc: 'Redis answered with an error; the value is its text' },
        {
          name: 'lost',
          value: 2,
          doc: 'the connection broke after the command was sent: it may have been carried out',
        },
        { name: 'timeout', value: 3, doc: 'no reply in time: it may have been carried out if it was sent' },
        { name: 'refused', value: 4, doc: 'the command was not sent: malformed, or longer than a command may be' },
        { name: 'too_big', value: 5, doc: 'a reply came, but there was no room for it' },
      ],
    },
    {
      name: 'RedisType',
      type: 'u8',
      doc: 'RedisCompletion.type, and type of an item of an array',
      values: [
        { name: 'none', value: 0, doc: 'no reply' },
        { name: 'string', value: 1, doc: 'bulk string' },
        { name: 'array', value: 2, doc: 'items' },
        { name: 'integer', value: 3, doc: '64 bits, signed' },
        { name: 'nil', value: 4, doc: 'nothing' },
        { name: 'status', value: 5, doc: 'simple string' },
        { name: 'error', value: 6, doc: 'error text' },
      ],
    },
  ],
  structs: [
    header,
    appLine,
    stackLine,
    ringEntry,
    ringHeader,
    event,
    address,
    send,
    release,
    info,
    redisCommand,
    redisCompletion,
  ],
};
