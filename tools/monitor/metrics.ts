// /metrics of a monitor. In: its sums. Out: families for Prometheus: everything counts since the start, the level is a label, and
// latencies are a histogram, so that those of several monitors add up. docs/metrics.md has each with its meaning.
import type { Family } from '../../stack/dashboard/exposition.js';
import type { ProgramFacts } from '../../stack/dashboard/snapshot.js';
import { buildInfo, family, single } from '../dashboard/families.js';
import { cellCounts } from '../dashboard/latencies.js';
import type { Capture, CountName, Counts } from './native.js';
import type { LevelResult, Sums } from './results.js';

const LEVEL_COUNTS: readonly [name: 'requests' | 'responses' | 'unanswered', help: string][] = [
  ['requests', 'requests that passed'],
  ['responses', 'responses that belong to a request'],
  ['unanswered', 'requests whose connection ended, or was idle for too long, before a response'],
];

const PLAIN_COUNTS: readonly [name: CountName, help: string][] = [
  ['segments', 'TCP segments from or to the servers’ ports'],
  ['unmatched', 'responses that belong to no request'],
  ['unframed', 'times that the next message was not found'],
  ['unlabelled', 'messages passed over because of their label'],
  ['outstanding_full', 'requests that could not be kept until their response, for want of room'],
  ['connections_seen', 'connections that got an entry in the table'],
  ['expired', 'connections forgotten because they were silent'],
  ['evicted', 'connections forgotten for want of room'],
  ['tails_skipped', 'slow responses whose frames were not kept, because they came too fast'],
  ['bursts_skipped', 'requests that the table of bursts had no room for'],
];

const SKIPPED: readonly [reason: string, of: (capture: Capture) => number][] = [
  ['not_tcp', ({ notTcp }) => notTcp],
  ['fragment', ({ fragments }) => fragments],
  ['cut', ({ cut }) => cut],
  ['other_port', ({ otherPorts }) => otherPorts],
];

function byLevel(levels: readonly LevelResult[]): Family[] {
  const counters = LEVEL_COUNTS.map(([name, help]) => {
    const samples = levels.map((level) => ({ labels: { level: level.name }, value: level[name] }));
    return family(`monitor_${name}_total`, 'counter', help, samples);
  });
  const help = 'from the first frame of a request to the first frame of its response';
  const histograms = levels.map(({ name, latency }) => ({ labels: { level: name }, cells: cellCounts(latency) }));
  return [...counters, { ...family('monitor_response_seconds', 'histogram', help, []), histograms }];
}

function byDirection(name: string, help: string, request: number, response: number): Family {
  return family(`monitor_${name}_total`, 'counter', help, [
    { labels: { direction: 'request' }, value: request },
    { labels: { direction: 'response' }, value: response },
  ]);
}

function ofConnections(counts: Counts, followed: number): Family[] {
  const late = 'segments that filled a hole: lost before they came here, or overtaken';
  return [
    byDirection(
      'retransmissions',
      'segments whose bytes had passed before',
      counts.request_retransmissions,
      counts.response_retransmissions,
    ),
    byDirection('late', late, counts.request_late, counts.response_late),
    single('monitor_connections', 'gauge', 'connections that are followed', followed),
    ...PLAIN_COUNTS.map(([name, help]) => single(`monitor_${name}_total`, 'counter', help, counts[name])),
  ];
}

function ofFrames(capture: Capture): Family[] {
  const lost = [
    { labels: { reason: 'missed' }, value: capture.missed },
    { labels: { reason: 'dropped' }, value: capture.dropped },
  ];
  const skipped = SKIPPED.map(([reason, of]) => ({ labels: { reason }, value: of(capture) }));
  return [
    single('monitor_frames_total', 'counter', 'frames that the source gave', capture.frames),
    single('monitor_frame_bytes_total', 'counter', 'bytes of these frames, on the wire', capture.bytes),
    family('monitor_frames_skipped_total', 'counter', 'frames that were not looked into, by reason', skipped),
    family(
      'monitor_frames_lost_total',
      'counter',
      'frames that no figure knows of: missed by the device or the kernel, dropped by a slow shard',
      lost,
    ),
  ];
}

export function monitorFamilies({ total, capture, followed }: Sums, program: ProgramFacts): Family[] {
  return [buildInfo(program), ...byLevel(total.levels), ...ofConnections(total.counts, followed), ...ofFrames(capture)];
}
