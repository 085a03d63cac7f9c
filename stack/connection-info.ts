// ConnectionInfo: the state of a connection, as TCP_INFO of Linux gives it: its names, in camel case, with their units.
// In: a ConnectionInfo record in the arena. Out: an object. What the stack does not know at this moment (most of it is kept
// only while data flow) is undefined.
import {
  CONNECTION_INFO_ADVMSS_U32,
  CONNECTION_INFO_ATO_US_U32,
  CONNECTION_INFO_BACKOFF_U8,
  CONNECTION_INFO_BYTES_ACKED_U32,
  CONNECTION_INFO_BYTES_RECEIVED_U32,
  CONNECTION_INFO_BYTES_RETRANS_U32,
  CONNECTION_INFO_BYTES_SENT_U32,
  CONNECTION_INFO_CA_STATE_U8,
  CONNECTION_INFO_DATA_SEGS_IN_U32,
  CONNECTION_INFO_DATA_SEGS_OUT_U32,
  CONNECTION_INFO_DELIVERED_CE_U32,
  CONNECTION_INFO_DELIVERED_U32,
  CONNECTION_INFO_DELIVERY_RATE_U32,
  CONNECTION_INFO_DSACK_DUPS_U32,
  CONNECTION_INFO_LAST_ACK_RECV_MS_U32,
  CONNECTION_INFO_LAST_DATA_RECV_MS_U32,
  CONNECTION_INFO_LAST_DATA_SENT_MS_U32,
  CONNECTION_INFO_LAST_RECV_MS_U32,
  CONNECTION_INFO_LOST_U32,
  CONNECTION_INFO_MIN_RTT_US_U32,
  CONNECTION_INFO_NOTSENT_BYTES_U32,
  CONNECTION_INFO_OPTIONS_U8,
  CONNECTION_INFO_OUT_OF_ORDER_U32,
  CONNECTION_INFO_PACING_RATE_U32,
  CONNECTION_INFO_PMTU_U32,
  CONNECTION_INFO_PROBES_U8,
  CONNECTION_INFO_RCV_OOOPACK_U32,
  CONNECTION_INFO_RCV_WND_U32,
  CONNECTION_INFO_RCV_WSCALE_U8,
  CONNECTION_INFO_REORD_SEEN_U32,
  CONNECTION_INFO_REORD_WINDOW_US_U32,
  CONNECTION_INFO_RETRANS_U32,
  CONNECTION_INFO_RETRANSMITS_U8,
  CONNECTION_INFO_RTO_US_U32,
  CONNECTION_INFO_RTT_US_U32,
  CONNECTION_INFO_RTTVAR_US_U32,
  CONNECTION_INFO_SACKED_U32,
  CONNECTION_INFO_SEGS_IN_U32,
  CONNECTION_INFO_SEGS_OUT_U32,
  CONNECTION_INFO_SND_CWND_U32,
  CONNECTION_INFO_SND_MSS_U32,
  CONNECTION_INFO_SND_SSTHRESH_U32,
  CONNECTION_INFO_SND_WND_U32,
  CONNECTION_INFO_SND_WSCALE_U8,
  CONNECTION_INFO_STATE_U8,
  CONNECTION_INFO_SUMS_U32,
  CONNECTION_INFO_TOTAL_RETRANS_U32,
  CONNECTION_INFO_UNACKED_BYTES_U32,
  CONNECTION_INFO_UNACKED_U32,
  CONNECTION_INFO_UNREAD_BYTES_U32,
  CONNECTION_INFO_URGENT_BYTES_U32,
  INFO_OPTION_ECN,
  INFO_OPTION_SACK,
  INFO_OPTION_TIMESTAMPS,
  INFO_OPTION_WSCALE,
  NO_INDEX,
} from './abi.js';

/** In the order of ConnectionState. */
const STATES = [
  'CLOSED',
  'SYN-SENT',
  'SYN-RECEIVED',
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
] as const;

/** In the order of RecoveryState. */
const CA_STATES = ['open', 'disorder', 'cwr', 'recovery', 'loss'] as const;

/** docs/sockets.md says what each is, and what is known of an idle connection. */
export interface ConnectionInfo {
  state: (typeof STATES)[number];
  caState: (typeof CA_STATES)[number];
  retransmits: number;
  probes: number;
  backoff: number;
  options: { timestamps: boolean; sack: boolean; wscale: boolean; ecn: boolean };
  sndWscale: number;
  rcvWscale: number;
  rtoUs: number;
  atoUs: number;
  sndMss: number;
  advmss: number;
  pmtu: number;
  unacked: number;
  sacked: number;
  lost: number;
  retrans: number;
  lastDataSentMs: number | undefined;
  lastRecvMs: number;
  rttUs: number | undefined;
  rttvarUs: number | undefined;
  minRttUs: number | undefined;
  sndCwnd: number;
  sndSsthresh: number | undefined;
  reordWindowUs: number | undefined;
  totalRetrans: number;
  pacingRate: number;
  deliveryRate: number | undefined;
  notsentBytes: number;
  unackedBytes: number;
  unreadBytes: number;
  outOfOrder: number;
  sndWnd: number;
  rcvWnd: number;
  urgentBytes: number;
  // Undefined without the option `sums`.
  bytesSent: number | undefined;
  bytesRetrans: number | undefined;
  bytesAcked: number | undefined;
  bytesReceived: number | undefined;
  segsOut: number | undefined;
  segsIn: number | undefined;
  dataSegsOut: number | undefined;
  dataSegsIn: number | undefined;
  delivered: number | undefined;
  deliveredCe: number | undefined;
  dsackDups: number | undefined;
  reordSeen: number | undefined;
  rcvOoopack: number | undefined;
  lastDataRecvMs: number | undefined;
  lastAckRecvMs: number | undefined;
}

const WORDS = {
  rtoUs: CONNECTION_INFO_RTO_US_U32,
  atoUs: CONNECTION_INFO_ATO_US_U32,
  sndMss: CONNECTION_INFO_SND_MSS_U32,
  advmss: CONNECTION_INFO_ADVMSS_U32,
  pmtu: CONNECTION_INFO_PMTU_U32,
  unacked: CONNECTION_INFO_UNACKED_U32,
  sacked: CONNECTION_INFO_SACKED_U32,
  lost: CONNECTION_INFO_LOST_U32,
  retrans: CONNECTION_INFO_RETRANS_U32,
  lastDataSentMs: CONNECTION_INFO_LAST_DATA_SENT_MS_U32,
  lastRecvMs: CONNECTION_INFO_LAST_RECV_MS_U32,
  rttUs: CONNECTION_INFO_RTT_US_U32,
  rttvarUs: CONNECTION_INFO_RTTVAR_US_U32,
  minRttUs: CONNECTION_INFO_MIN_RTT_US_U32,
  sndCwnd: CONNECTION_INFO_SND_CWND_U32,
  sndSsthresh: CONNECTION_INFO_SND_SSTHRESH_U32,
  reordWindowUs: CONNECTION_INFO_REORD_WINDOW_US_U32,
  totalRetrans: CONNECTION_INFO_TOTAL_RETRANS_U32,
  pacingRate: CONNECTION_INFO_PACING_RATE_U32,
  deliveryRate: CONNECTION_INFO_DELIVERY_RATE_U32,
  notsentBytes: CONNECTION_INFO_NOTSENT_BYTES_U32,
  unackedBytes: CONNECTION_INFO_UNACKED_BYTES_U32,
  unreadBytes: CONNECTION_INFO_UNREAD_BYTES_U32,
  outOfOrder: CONNECTION_INFO_OUT_OF_ORDER_U32,
  sndWnd: CONNECTION_INFO_SND_WND_U32,
  rcvWnd: CONNECTION_INFO_RCV_WND_U32,
  urgentBytes: CONNECTION_INFO_URGENT_BYTES_U32,
} as const;

/** 64 bits: the low word, and the high one behind it. Exact up to 2^53. */
const BYTE_SUMS = {
  bytesSent: CONNECTION_INFO_BYTES_SENT_U32,
  bytesRetrans: CONNECTION_INFO_BYTES_RETRANS_U32,
  bytesAcked: CONNECTION_INFO_BYTES_ACKED_U32,
  bytesReceived: CONNECTION_INFO_BYTES_RECEIVED_U32,
} as const;

const SUMS = {
  segsOut: CONNECTION_INFO_SEGS_OUT_U32,
  segsIn: CONNECTION_INFO_SEGS_IN_U32,
  dataSegsOut: CONNECTION_INFO_DATA_SEGS_OUT_U32,
  dataSegsIn: CONNECTION_INFO_DATA_SEGS_IN_U32,
  delivered: CONNECTION_INFO_DELIVERED_U32,
  deliveredCe: CONNECTION_INFO_DELIVERED_CE_U32,
  dsackDups: CONNECTION_INFO_DSACK_DUPS_U32,
  reordSeen: CONNECTION_INFO_REORD_SEEN_U32,
  rcvOoopack: CONNECTION_INFO_RCV_OOOPACK_U32,
  lastDataRecvMs: CONNECTION_INFO_LAST_DATA_RECV_MS_U32,
  lastAckRecvMs: CONNECTION_INFO_LAST_ACK_RECV_MS_U32,
} as const;

/** Reads the record that begins at byte `at`. */
export function readConnectionInfo(u8: Uint8Array, u32: Uint32Array, at: number): ConnectionInfo {
  const byte = (field: number) => u8[at + field] as number;
  const agreed = byte(CONNECTION_INFO_OPTIONS_U8);
  const word = (field: number) => u32[(at >>> 2) + field] as number;
  const words = Object.entries(WORDS).map(([name, field]) => {
    const value = word(field);
    return [name, value === NO_INDEX ? undefined : value];
  });
  const kept = word(CONNECTION_INFO_SUMS_U32) === 1;
  const bytes = Object.entries(BYTE_SUMS).map(([name, field]) => [
    name,
    kept ? word(field) + word(field + 1) * 2 ** 32 : undefined,
  ]);
  const sums = Object.entries(SUMS).map(([name, field]) => [name, kept ? word(field) : undefined]);
  const info = {
    state: STATES[byte(CONNECTION_INFO_STATE_U8)],
    caState: CA_STATES[byte(CONNECTION_INFO_CA_STATE_U8)],
    retransmits: byte(CONNECTION_INFO_RETRANSMITS_U8),
    probes: byte(CONNECTION_INFO_PROBES_U8),
    backoff: byte(CONNECTION_INFO_BACKOFF_U8),
    options: {
      timestamps: (agreed & INFO_OPTION_TIMESTAMPS) !== 0,
      sack: (agreed & INFO_OPTION_SACK) !== 0,
      wscale: (agreed & INFO_OPTION_WSCALE) !== 0,
      ecn: (agreed & INFO_OPTION_ECN) !== 0,
    },
    sndWscale: byte(CONNECTION_INFO_SND_WSCALE_U8),
    rcvWscale: byte(CONNECTION_INFO_RCV_WSCALE_U8),
    ...Object.fromEntries([...words, ...bytes, ...sums]),
  } as ConnectionInfo;
  if (info.rttUs === 0) info.rttUs = info.rttvarUs = undefined;
  return info;
}
