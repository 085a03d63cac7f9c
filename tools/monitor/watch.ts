// Watch: one monitor from its start to its report.
// In: options and the native monitor. Out: a report; files, progress and notes on the way. The native side measures; this file
// only collects what it has counted, so a busy event loop cannot shift a latency.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hgrmText } from '../histogram/hgrm.js';
import { Histogram } from '../histogram/histogram.js';
import { makeFolder } from './folder.js';
import { HcmonitorFiles } from './hcmonitor-files.js';
import { MachineState } from './machine-state.js';
import type { Capture, NativeMonitor, NativeMonitorOptions, Taken } from './native.js';
import type { MonitorOptions } from './options.js';
import { captureReport, type IntervalReport, intervalReport, levelReport, type Report } from './report.js';
import { type LevelResult, type Result, Results, TickCollector, type WholeTick } from './results.js';
import { sourceName } from './sources.js';
import { TailFiles } from './tail-files.js';
import { MirrorLink } from './watched-server.js';

const POLL_MS = 20;
const NS_PER_MS = 1e6;
/** Of a device. */
const RX_PACKETS = 16_384;
const TX_PACKETS = 64;
/** The native table of requests without a response, by connection. */
const OUTSTANDING_PER_CONNECTION = 2;

function framingOptions({ framing }: MonitorOptions): Pick<NativeMonitorOptions, 'framing' | 'fixedLength' | 'prefix'> {
  if (framing.kind === 'fixed') return { framing: 'fixed', fixedLength: framing.length };
  if (framing.kind !== 'lengthPrefix') return { framing: framing.kind };
  const { offset, width, order, adjust, maximum } = framing;
  return { framing: 'lengthPrefix', prefix: { offset, width, littleEndian: order === 'le', adjust, maximum } };
}

function sourceOptions({ source }: MonitorOptions): Partial<NativeMonitorOptions> {
  if (source.kind === 'file') return { file: source.path };
  if (source.kind === 'interface') return { interface: source.name };
  const device = source.kind === 'mirror' ? `memif:${source.socket}?client` : source.device;
  return { device, records: source.kind === 'mirror', rxPackets: RX_PACKETS, txPackets: TX_PACKETS };
}

export function nativeOptions(options: MonitorOptions): NativeMonitorOptions {
  const { ports, labels, levels, iot, firstLevelOnly, bursts, shards, snaplen, tickMs, intervalMs } = options;
  const connections = Math.ceil(options.connections / shards);
  return {
    ...sourceOptions(options),
    ...framingOptions(options),
    ...(labels === undefined ? {} : { labels }),
    ...{ ports, iot, firstLevelOnly, bursts, shards },
    level: levels.rule,
    connections,
    outstanding: connections * OUTSTANDING_PER_CONNECTION,
    idleNs: options.idleMs * NS_PER_MS,
    tailOverNs: Math.round(options.captureOverMs * NS_PER_MS),
    tailSpanNs: options.captureSpanMs * NS_PER_MS,
    tailFrames: 16_384,
    snapshot: snaplen,
    tickNs: Math.round(tickMs * NS_PER_MS),
    ticksPerInterval: Math.round(intervalMs / tickMs),
  };
}

/** Who follows what is counted: the progress on a terminal, the live page. */
export interface Viewer {
  show(tick: WholeTick, total: Result, capture: Capture): void;
}

export class Watch {
  private readonly id: number;
  private readonly collector: TickCollector;
  private readonly results: Results;
  private readonly intervals: IntervalReport[] = [];
  private readonly machine = new MachineState();
  private readonly files: HcmonitorFiles | undefined;
  private readonly tails: TailFiles | undefined;
  private readonly link: MirrorLink | undefined;
  private gapMaxNs = 0;
  private opened = false;

  constructor(
    private readonly native: NativeMonitor,
    private readonly options: MonitorOptions,
    private readonly viewers: readonly Viewer[],
    private readonly note: (sentence: string) => void,
  ) {
    const { source, levels, tickMs, intervalMs, shards, captureOverMs, filesDir } = options;
    if (source.kind === 'mirror') this.link = new MirrorLink(source.socket);
    if (options.hgrm !== undefined) makeFolder('--hgrm', hgrmFolder(options.hgrm));
    if (filesDir !== undefined) this.files = new HcmonitorFiles(filesDir);
    if (captureOverMs > 0) this.tails = new TailFiles(options.captureDir, options.captureMax, levels.names, note);
    this.collector = new TickCollector(shards, levels.names);
    this.results = new Results(levels.names, Math.round(intervalMs / tickMs), tickMs, (interval) => {
      this.intervals.push(intervalReport(interval));
      this.files?.interval(interval);
    });
    this.id = native.createMonitor(nativeOptions(options));
  }

  /** What was seen until now is still counted and reported. */
  stop(): void {
    this.native.monitorStop(this.id);
  }

  async run(command: string, versions: Readonly<Record<string, string>>): Promise<Report> {
    const startMs = Date.now();
    const { durationMs } = this.options;
    try {
      for (;;) {
        const taken = this.native.monitorTake(this.id);
        if (taken.opened) this.tellLink(taken.connected);
        this.take(taken);
        if (taken.fault !== '') throw new Error(taken.fault);
        if (taken.ended) return this.report(taken, startMs, command, versions);
        if (durationMs > 0 && Date.now() - startMs >= durationMs) this.stop();
        await sleep(POLL_MS);
      }
    } finally {
      this.native.destroyMonitor(this.id);
    }
  }

  private tellLink(connected: boolean): void {
    if (connected && !this.opened) this.tellOpened();
    const sentence = this.link?.look(connected, performance.now());
    if (sentence !== undefined) this.note(sentence);
  }

  /** From here on nothing passes unseen. */
  private tellOpened(): void {
    const { source, ports, intervalMs } = this.options;
    const isChosen = source.kind === 'interface' && source.chosen;
    const chosen = isChosen ? ', chosen by -p; --interface, --device or --pcap name another source' : '';
    this.opened = true;
    this.note(
      `watching ${sourceName(source)}, port ${ports.join(', ')}, results each ${intervalMs / 1_000} s${chosen}`,
    );
  }

  private take(taken: Taken): void {
    this.gapMaxNs = Math.max(this.gapMaxNs, taken.capture.gapMaxNs);
    for (const tick of this.collector.add(taken.ticks)) {
      this.results.add(tick);
      this.writeTick(tick, taken.capture.gapMaxNs);
      for (const viewer of this.viewers) viewer.show(tick, this.results.total, taken.capture);
    }
  }

  private writeTick(tick: WholeTick, gapMaxNs: number): void {
    if (this.options.bursts) this.files?.bursts(tick.bursts, tick.startMs, this.options.tickMs);
    if (this.tails === undefined) return;
    // What a file says of a machine is said of the one that wrote it.
    const isLive = this.options.source.kind !== 'file';
    for (const tail of tick.tails)
      this.tails.write(tail, isLive ? this.machine.text(gapMaxNs) : 'From a capture file.');
    this.machine.look();
  }

  private report(taken: Taken, startMs: number, command: string, versions: Readonly<Record<string, string>>): Report {
    this.results.end();
    const { capture } = taken;
    const { total } = this.results;
    const isFile = this.options.source.kind === 'file';
    const beginMs = isFile ? capture.firstMs : startMs;
    const endMs = isFile ? capture.lastMs : Date.now();
    this.writeHgrm(total.levels);
    return {
      monitors: 1,
      source: sourceName(this.options.source),
      start: new Date(beginMs).toISOString(),
      duration_s: (endMs - beginMs) / 1_000,
      capture: captureReport(capture, this.gapMaxNs),
      counts: total.counts,
      levels: total.levels.map(levelReport),
      intervals: this.intervals,
      captured: this.tails?.names ?? [],
      versions,
      command,
    };
  }

  private writeHgrm(levels: readonly LevelResult[]): void {
    if (this.options.hgrm !== undefined) writeHgrm(this.options.hgrm, levels);
    if (this.tails !== undefined && this.results.total.counts.tails_skipped > 0) {
      this.note(
        `${this.results.total.counts.tails_skipped} more slow responses came faster than their frames could be kept`,
      );
    }
  }
}

function hgrmFolder(path: string): string {
  return path.endsWith('.hgrm') ? dirname(path) : path;
}

/** A path that ends with .hgrm is one file of all levels; any other a folder with one by level. */
export function writeHgrm(path: string, levels: readonly { name: string; latency: Histogram }[]): void {
  if (path.endsWith('.hgrm')) {
    writeFileSync(path, hgrmText(Histogram.merge(levels.map(({ latency }) => latency))));
    return;
  }
  makeFolder('--hgrm', path);
  for (const { name, latency } of levels) writeFileSync(join(path, `${name}.hgrm`), hgrmText(latency));
}
