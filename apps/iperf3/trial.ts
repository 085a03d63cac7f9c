// One test as either side sees it: its streams, what moved in each interval, and what both sides say at the end.
// In: parameters, our role, streams. Out: a record for report.ts. Time is that of this process.

import type { Connection } from '../../stack/connection.js';
import type { Address } from '../../stack/message.js';
import { type Budget, DataStream } from './data-stream.js';
import { type CpuShare, type Parameters, type Results, streamId } from './protocol.js';

export type Role = 'client' | 'server';

export interface Interval {
  start: number;
  end: number;
  /** By stream. */
  bytes: number[];
  omitted: boolean;
}

export class Trial {
  readonly role: Role;
  readonly parameters: Parameters;
  readonly cookie: string;
  readonly peer: Address;
  readonly streams: DataStream[] = [];
  readonly intervals: Interval[] = [];
  readonly startedAt = new Date();
  /** Length of what counts, once it is over. */
  seconds = 0;
  cpu: CpuShare = { total: 0, user: 0, system: 0 };
  /** What the other side has counted. */
  theirs: Results | undefined;
  fault: string | undefined;
  onInterval: (interval: Interval) => void = () => {};
  private readonly budget: Budget;
  private readonly timers: NodeJS.Timeout[] = [];
  /** 0: it has not begun. */
  private beginMs = 0;
  private cpuBefore = process.cpuUsage();
  private lastSeconds = 0;
  private omitting = false;
  private hasReports = false;
  private spent: () => void = () => {};
  private broken: (error: Error) => void = () => {};

  constructor(role: Role, parameters: Parameters, cookie: string, peer: Address) {
    this.role = role;
    this.parameters = parameters;
    this.cookie = cookie;
    this.peer = peer;
    this.budget = { bytesLeft: parameters.bytes || Number.POSITIVE_INFINITY, onSpent: () => this.spent() };
  }

  /** Our side sends. */
  get sends(): boolean {
    return (this.role === 'client') !== this.parameters.reverse;
  }

  get isComplete(): boolean {
    return this.streams.length >= this.parameters.streams;
  }

  /** What was read along with the cookie waits in `restBytes`. */
  add(connection: Connection, restBytes = 0): void {
    const stream = new DataStream(streamId(this.streams.length), connection);
    this.streams.push(stream);
    // Data may come before the test is said to run: a server that sends does not wait for us.
    if (!this.sends) stream.receive(restBytes, this.budget).catch((error) => this.broken(error as Error));
  }

  private get elapsed(): number {
    return (performance.now() - this.beginMs) / 1000;
  }

  /** Resolves when the time is over or the bytes have moved; rejects when a data connection breaks. A server is told the end. */
  async run(intervalMs: number): Promise<void> {
    const over = new Promise<void>((resolve, reject) => {
      this.spent = resolve;
      this.broken = reject;
    });
    this.begin();
    const { omitSeconds, seconds, bytes, block } = this.parameters;
    if (omitSeconds > 0) this.omit(omitSeconds);
    this.hasReports = intervalMs > 0;
    if (this.hasReports) this.timers.push(setInterval(() => this.sample(), intervalMs));
    if (this.role === 'client' && bytes === 0) this.after(omitSeconds + seconds, () => this.spent());
    if (this.sends) {
      const pattern = new Uint8Array(block).map((_, at) => 48 + (at % 10));
      Promise.all(this.streams.map((stream) => stream.send(pattern, this.budget))).then(this.spent, this.broken);
    }
    await over;
  }

  private after(seconds: number, action: () => void): void {
    this.timers.push(setTimeout(action, seconds * 1000));
  }

  private begin(): void {
    this.beginMs = performance.now();
    this.cpuBefore = process.cpuUsage();
    this.lastSeconds = 0;
  }

  private omit(seconds: number): void {
    this.omitting = true;
    this.after(seconds, () => {
      this.sample();
      this.omitting = false;
      this.begin();
      for (const stream of this.streams) stream.bytes = stream.bytesBefore = 0;
    });
  }

  private sample(): void {
    const end = this.elapsed;
    const bytes = this.streams.map((stream) => stream.bytes - stream.bytesBefore);
    for (const stream of this.streams) stream.bytesBefore = stream.bytes;
    const interval = { start: this.lastSeconds, end, bytes, omitted: this.omitting };
    this.lastSeconds = end;
    this.intervals.push(interval);
    this.onInterval(interval);
  }

  /** From here on nothing counts any more. */
  end(): void {
    for (const timer of this.timers) clearTimeout(timer);
    for (const stream of this.streams) stream.stop();
    if (this.beginMs === 0) return;
    this.seconds = this.elapsed;
    const usage = process.cpuUsage(this.cpuBefore);
    const share = (micros: number) => (100 * micros) / 1e6 / this.seconds;
    this.cpu = { total: share(usage.user + usage.system), user: share(usage.user), system: share(usage.system) };
    if (this.hasReports && this.streams.some(({ bytes, bytesBefore }) => bytes > bytesBefore)) this.sample();
  }

  results(): Results {
    const streams = this.streams.map(({ id, bytes }) => ({ id, bytes, seconds: this.seconds }));
    return { cpu: this.cpu, streams };
  }

  closeStreams(): void {
    for (const { connection } of this.streams) connection.close();
  }

  close(): void {
    this.spent();
    if (this.fault === undefined) this.closeStreams();
    else for (const { connection } of this.streams) connection.abort();
  }
}
