// `mirror`: what a mirror port costs iotepserver at the saturation that `app` measures, and at QStack's 172,800 messages a second: without
// one, with two whose records are taken and thrown away, and with a monitor. Then the same messages at half the saturation, timed by mcc
// and by the monitor: one run, two clocks.
// In: connections (100,000). Out: messages a second and CPU of the server's threads per message; percentiles of both; what the
// readers missed. The monitor runs on the same cores: what it takes is missing to all others, and is told beside.
import { join } from 'node:path';
import type { Report as LoadReport, RunReport } from '../mcc/report.js';
import type { Report as MonitorReport } from '../monitor/report.js';
import { Child } from '../start/child.js';
import { type Layout, layoutOf, redisText } from '../start/layout.js';
import type { Server } from '../start/server.js';
import { onCore } from '../taskset.js';
import { type Benchmark, type Context, interleaved, medianOf, type Result, type Sample } from './benchmark.js';
import { nativeEnd, nodeProgram } from './places.js';
import { type Aim, aimText } from './priority/aim.js';
import { levelsOf, ms } from './priority/part.js';
import { HIGH_SHARE, type Load, Rig } from './priority/rig.js';
import { End } from './process.js';
import { rounded } from './statistics.js';
import { ranNanoseconds } from './threads.js';

const CONNECTIONS = 100_000;
const SMALL_CONNECTIONS = 300;
const UNDER_WAY = 16_384;
const SHARE = 0.5;
/** Ethernet, IPv4, TCP with timestamps, and 64 bytes of the payload. */
const SHORT_SNAP = 14 + 20 + 32 + 64;
/** Messages a second of QStack's experiment. */
const RATE = 172_800;
const DRAIN_MS = 10_000;
/** Of what is answered at that rate, that a mirror leaves. */
const AIM = 0.95;

const NONE = 'no mirror';
const SHORT = 'a mirror of headers and 64 bytes, thrown away';
const DRAINED = 'a mirror as by default, thrown away';
const READ = 'a mirror with its monitor';

const socketOf = (rig: Rig) => join(rig.folder, 'mirror', 'm.sock');

function ranSeconds(pid: number): number {
  return ranNanoseconds(pid).reduce((sum, { ns }) => sum + ns, 0) / 1e9;
}

/** Sees the server at the end of each phase of mcc. */
class Meter {
  private pid = 0;
  private readonly ranS: number[] = [];

  readonly onServer = ({ child }: Server): void => {
    this.pid = child.pid;
  };

  readonly onRun = (): void => {
    this.ranS.push(ranSeconds(this.pid));
  };

  /** In the phase of this number; the first one has none. */
  secondsIn(phase: number): number {
    return (this.ranS[phase] ?? Number.NaN) - (this.ranS[phase - 1] ?? Number.NaN);
  }
}

/** A monitor of the rig's mirror; resolves when it watches. */
function watching(rig: Rig): Promise<{ child: Child; end(): Promise<MonitorReport> }> {
  const command = [...nodeProgram('tools/monitor/main.js'), '--mirror', socketOf(rig), '--iot', '--json'];
  return new Promise((done, fail) => {
    let json = '';
    const child = new Child({
      name: 'monitor',
      command,
      onLine: (line, from) => {
        if (from === 'stdout') json += line;
        else if (line.startsWith('watching ')) done({ child, end });
      },
    });
    const end = async () => {
      await child.stop('SIGINT');
      if (json === '') throw new Error(child.failure());
      return JSON.parse(json) as MonitorReport;
    };
    void child.ended.then(() => fail(new Error(child.failure())));
  });
}

interface DrainReport {
  readonly amount: number;
  readonly dropped: number;
}

/** A reader of the rig's mirror that takes next to no time from the others, and none from the server's core, during a load. */
async function drained(setting: Setting, lines: readonly string[] = []): Promise<Sample> {
  const { rig, layout } = setting;
  const meter = new Meter();
  const device = ['device=memif', `socket=${socketOf(rig)}`];
  const command = [...onCore(layout.cores?.generator), ...nativeEnd('mirror-drain', 'address=10.78.0.9', ...device)];
  const drain = new End<DrainReport>('the drain', command);
  const onServer = async (server: Server) => {
    meter.onServer(server);
    await drain.start();
  };
  try {
    const load = loadOf(setting, loads(rig), [lineOf(rig), ...lines], { onRun: meter.onRun, onServer });
    const sample = sampleOf(await rig.serve(load), meter);
    await drain.stop();
    const { amount, dropped } = await drain.report(DRAIN_MS);
    return { ...sample, missed_share: dropped / (amount + dropped) };
  } finally {
    await drain.stop();
  }
}

interface Seen {
  readonly load: LoadReport;
  readonly monitor: MonitorReport;
}

async function seen(rig: Rig, load: Load): Promise<Seen> {
  let monitor: Awaited<ReturnType<typeof watching>> | undefined;
  const onServer = async (server: Server) => {
    await load.onServer?.(server);
    monitor = await watching(rig);
  };
  try {
    const report = await rig.serve({ ...load, onServer });
    return { load: report, monitor: (await monitor?.end()) as MonitorReport };
  } finally {
    monitor?.child.signal('SIGKILL');
  }
}

const answeredIn = (run: RunReport | undefined) => levelsOf(run).reduce((sum, { answered }) => sum + answered, 0);

interface Setting {
  readonly rig: Rig;
  readonly layout: Layout;
  readonly connections: number;
}

const lineOf = (rig: Rig) => `mirror = memif:${socketOf(rig)}`;

function loadOf({ connections }: Setting, phases: string, lines: readonly string[], more: Partial<Load> = {}): Load {
  return { priorities: true, phases, connections, lines, ...more };
}

const SATURATED = 1;
const AT_RATE = 2;

/** As many as it can, twice, of which the first is to warm up, and the given rate. */
function loads(rig: Rig): string {
  const { isSmall, context } = rig;
  const saturations = [isSmall ? context.seconds : 1, context.seconds].map((s) => `capacity:${UNDER_WAY}/${s}s`);
  return [...saturations, rig.paced(isSmall ? RATE / 100 : RATE)].join(',');
}

function sampleOf({ phases }: LoadReport, meter: Meter): Sample {
  const run = phases[SATURATED] as RunReport;
  return {
    requests_per_s: run.answered_per_s,
    server_cpu_us_per_request: (meter.secondsIn(SATURATED) * 1e6) / answeredIn(run),
    at_rate_per_s: phases[AT_RATE]?.answered_per_s ?? Number.NaN,
  };
}

async function unwatched(setting: Setting): Promise<Sample> {
  const { rig } = setting;
  const meter = new Meter();
  return sampleOf(await rig.serve(loadOf(setting, loads(rig), [], meter)), meter);
}

/** Both clocks, over the same messages. */
function clocks({ load, monitor }: Seen): Sample {
  const [high] = levelsOf(load.phases[0]);
  const [there] = monitor.levels;
  return {
    mcc_high_p50_ms: ms(high.p50_us),
    mcc_high_p99_ms: ms(high.p99_us),
    monitor_high_p50_ms: ms(there?.p50_us ?? null),
    monitor_high_p99_ms: ms(there?.p99_us ?? null),
    monitor_matched_share: (there?.responses ?? 0) / high.answered,
  };
}

async function watched(setting: Setting): Promise<Sample> {
  const { rig } = setting;
  const lines = [lineOf(rig)];
  const meter = new Meter();
  const full = await seen(rig, loadOf(setting, loads(rig), lines, meter));
  const sample = sampleOf(full.load, meter);
  const { missed, dropped, frames } = full.monitor.capture;
  const half = await seen(rig, loadOf(setting, rig.paced(SHARE * (sample.requests_per_s as number)), lines));
  return { ...sample, missed_share: (missed + dropped) / (frames + missed + dropped), ...clocks(half) };
}

function aimOf(ratio: number): Aim {
  const what = `of ${RATE.toLocaleString('en-US')} messages a second, those answered with a mirror of headers and 64 bytes to those without`;
  return { key: 'mirrored_kept_at_rate', what, ratio, atLeast: AIM };
}

function resultOf(rows: Result['rows'], connections: number, redisServers: number): Result {
  const of = (name: string, column: string) => medianOf(rows, name, column);
  const rate = (name: string) => of(name, 'requests_per_s');
  const atRate = (name: string) => of(name, 'at_rate_per_s');
  const aim = aimOf(atRate(SHORT) / atRate(NONE));
  return {
    rows,
    values: {
      requests_per_s: rounded(rate(NONE)),
      [aim.key]: rounded(aim.ratio),
      mirrored_kept: rounded(rate(SHORT) / rate(NONE)),
      mirrored_256_kept: rounded(rate(DRAINED) / rate(NONE)),
      monitored_kept: rounded(rate(READ) / rate(NONE)),
      missed_share: rounded(of(READ, 'missed_share')),
      p99_us: {
        mcc_high: rounded(of(READ, 'mcc_high_p99_ms') * 1_000),
        monitor_high: rounded(of(READ, 'monitor_high_p99_ms') * 1_000),
      },
    },
    charts: [],
    notes: [
      aimText(aim),
      `${connections.toLocaleString('en-US')} connections; messages of 200 bytes, ${HIGH_SHARE * 100} % high, all answered; ${redisText(redisServers)}`,
      `requests_per_s: closed loop, ${UNDER_WAY.toLocaleString('en-US')} under way; monitored_kept is what is left of it while the monitor computes on the same cores`,
      `mcc and the monitor time the same messages, open loop at ${SHARE * 100} % of it: mcc from the intended time, the monitor from frame to frame in the server`,
    ],
  };
}

function measure(context: Context): Promise<Result> {
  const layout = layoutOf(undefined, 'generator');
  const work = async (rig: Rig) => {
    const connections = context.connections.at(-1) ?? (rig.isSmall ? SMALL_CONNECTIONS : CONNECTIONS);
    const setting = { rig, connections, layout };
    const contenders = [
      { name: NONE, run: () => unwatched(setting) },
      { name: SHORT, run: () => drained(setting, [`mirror_snap = ${SHORT_SNAP}`]) },
      { name: DRAINED, run: () => drained(setting) },
      { name: READ, run: () => watched(setting) },
    ];
    const { values, ...rest } = resultOf(await interleaved(contenders, context), connections, rig.redis.length);
    return { ...rest, values: { ...values, mismatched: rig.mismatched } };
  };
  return Rig.with(context, work, { layout });
}

export const mirror: Benchmark = {
  name: 'mirror',
  what: 'what a mirror port and its monitor cost iotepserver, and what the monitor and mcc say of one run',
  measure,
};
