// Result: the one object of `npm start -- --json`, and the table that a person sees.
// In: mcc's reports with priorities on and off. Out: the main run at the top, its twin in `fifo`, the other runs in `overload`.
import Table from 'cli-table3';
import { formatSize } from '../../stack/config/units.js';
import { formatUs, type LevelReport, type RunReport } from '../mcc/report.js';

/** The same run with priorities on and off. */
export interface Twin {
  on: RunReport;
  off: RunReport;
}

export interface Measured {
  connections: number;
  connected: number;
  main: Twin;
  overload: (Twin & { capacityPerS: number }) | undefined;
  /** Calls of SET and GET that Redis counted in the main run. */
  redisOps: number;
  bytesPerConnection: number | null;
  /** Of them, for data in flight: taken at the start, for as many connections as there are packets. */
  busyBytesPerConnection: number;
}

function runObject(run: RunReport) {
  return {
    offered_per_s: run.offered_per_s,
    answered_per_s: run.answered_per_s,
    levels: run.levels,
    mismatched: run.mismatched,
    failed_sends: run.failed_sends,
    reconnects: run.reconnects,
    hiccup_p99_us: run.hiccup_p99_us,
  };
}

export function resultObject(measured: Measured): Record<string, unknown> {
  const { main, overload } = measured;
  return {
    connections: measured.connected,
    ...runObject(main.on),
    server_bytes_per_connection: measured.bytesPerConnection,
    server_busy_bytes_per_connection: measured.busyBytesPerConnection,
    redis_ops: measured.redisOps,
    fifo: runObject(main.off),
    ...(overload === undefined
      ? {}
      : {
          overload: {
            capacity_per_s: overload.capacityPerS,
            ...runObject(overload.on),
            fifo: runObject(overload.off),
          },
        }),
  };
}

const count = (value: number | null) => (value === null ? '-' : value.toLocaleString('en-US'));
const RIGHT = 'right' as const;
const HEAD = ['level', 'priorities', 'sent', 'answered', 'lost', 'p50', 'p90', 'p99', 'p99.9', 'max'];

function row(level: LevelReport, priorities: string): string[] {
  const times = [level.p50_us, level.p90_us, level.p99_us, level.p999_us, level.max_us].map(formatUs);
  return [level.name, priorities, count(level.sent), count(level.answered), count(level.lost), ...times];
}

function table({ on, off }: Twin): string {
  const made = new Table({
    head: HEAD,
    colAligns: HEAD.map((_, column) => (column < 2 ? 'left' : RIGHT)),
    style: { head: [], border: [], compact: true },
  });
  on.levels.forEach((level, index) => {
    const twin = off.levels[index];
    made.push(row(level, 'on'));
    if (twin !== undefined) made.push(row(twin, 'off'));
  });
  return made.toString();
}

/** How many times lower the high level's p99 is with priorities on. */
export function gain({ on, off }: Twin): number | undefined {
  const [mine, other] = [on.levels[0]?.p99_us, off.levels[0]?.p99_us];
  return mine && other ? Math.round((other / mine) * 10) / 10 : undefined;
}

function section(title: string, twin: Twin): string[] {
  const times = gain(twin);
  const said = times === undefined ? [] : [`high level's p99: ${times} times lower with priorities on`];
  const hiccups = `hiccup p99 ${formatUs(twin.on.hiccup_p99_us)} on, ${formatUs(twin.off.hiccup_p99_us)} off`;
  return [
    title,
    table(twin),
    [...said, hiccups, `mismatched ${twin.on.mismatched + twin.off.mismatched}`].join('   '),
    '',
  ];
}

function memoryText({ bytesPerConnection, busyBytesPerConnection }: Measured): string {
  if (bytesPerConnection === null) return 'not measured below 10,000 connections';
  const idle = Math.max(0, bytesPerConnection - busyBytesPerConnection);
  return `${formatSize(bytesPerConnection)}: ${formatSize(idle)} of an idle one, the rest for data in flight`;
}

export function resultText(measured: Measured): string {
  const { main, overload } = measured;
  return [
    ...section(
      `${main.on.phase}: ${count(main.on.offered_per_s)} messages/s on ${count(measured.connected)} connections`,
      main,
    ),
    ...(overload === undefined
      ? []
      : section(
          `150 % of the measured capacity of ${count(overload.capacityPerS)}/s: ${count(overload.on.offered_per_s)} messages/s`,
          overload,
        )),
    `memory per connection, server: ${memoryText(measured)}`,
    `Redis counted ${count(measured.redisOps)} commands in the main run`,
    'Generator, server and Redis shared this machine’s cores; latency counts from the intended send time.',
    '',
    'Try next:',
    '  npm start -- --connections 1000000 --rate 100000 --duration 30s',
    '  npm start -- --high 0.5          half of all messages at the high level',
    '  npm start --silent -- --json     the same as one JSON object',
  ].join('\n');
}
