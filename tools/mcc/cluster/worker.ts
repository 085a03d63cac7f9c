// Worker: one generator of a cluster, for one test after the other until it is stopped.
// In: commands from the coordinator, and this machine's own flags. Out: reports. Invariant: a command is done once, however often it
// is handed out; a generator never outlives its coordinator by more than a few seconds.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { thisMachine } from '../../../stack/config/machine.js';
import type { FlagTexts } from '../flag-reader.js';
import type { NativeMcc } from '../native.js';
import { nativeOptions } from '../native-options.js';
import { type MccOptions, readOptions } from '../options.js';
import { memoryFault } from '../plan.js';
import { Share, type ShareState } from '../share.js';
import { Clock } from './clock.js';
import {
  type Create,
  decodeRequest,
  encode,
  type News,
  type Presence,
  type Request,
  VERSION,
  versionFault,
  versionOf,
} from './protocol.js';
import type { Store } from './store.js';

const GROUP = 'worker';
const BEAT_MS = 500;
const READ_MS = 250;
const TELL_MS = 20;
const CLOSE_MS = 2_000;
/** The coordinator's key, once it is gone, is missing for so many heartbeats in a row before its test is given up. */
const GONE_BEATS = 2;

export interface WorkerOptions {
  readonly name: string;
  /** Flags that stood on this worker's command line: they override the coordinator's. */
  readonly own: FlagTexts;
  note(sentence: string): void;
  generatorOf(options: MccOptions): NativeMcc;
}

export class Worker {
  private readonly id: string;
  private readonly clock: Clock;
  private since = 0;
  private share: Share | undefined;
  private test: string | undefined;
  private number = 0;
  private goneBeats = 0;
  private stopped = false;

  constructor(
    private readonly store: Store,
    private readonly options: WorkerOptions,
  ) {
    this.id = `${options.name}-${randomBytes(4).toString('hex')}`;
    this.clock = new Clock(() => store.timeUs());
  }

  private get commands(): string {
    return this.store.key('commands', this.id);
  }

  /** Leaves at the next chance, in order. */
  stop(): void {
    this.stopped = true;
  }

  /** Until it is stopped, or refused. */
  async run(): Promise<void> {
    for (let i = 0; i < 5; i += 1) await this.clock.sample();
    this.since = this.clock.nowUs() / 1_000;
    await this.store.makeStream(this.commands, GROUP);
    await this.beat();
    await this.sayWhere();
    const beats = setInterval(() => void this.beat().catch(() => {}), BEAT_MS);
    const tells = setInterval(() => this.share?.tell(), TELL_MS);
    try {
      for (let again = true; !this.stopped; again = false) await this.step(again);
      if (this.share !== undefined) await this.leaveTest();
    } finally {
      clearInterval(beats);
      clearInterval(tells);
      this.end();
      await Promise.race([this.store.leave(this.id), sleep(CLOSE_MS, undefined, { ref: false })]);
    }
  }

  private async sayWhere(): Promise<void> {
    const holder = await this.store.holder('coordinator');
    const next = holder?.startsWith('running ') === true ? '; a test is under way, it takes part in the next one' : '';
    this.options.note(`worker ${this.options.name} is at ${this.store.where}${next}`);
  }

  private async beat(): Promise<void> {
    await this.clock.sample();
    const { name } = this.options;
    const presence: Presence = {
      version: VERSION,
      id: this.id,
      name,
      host: hostname(),
      pid: process.pid,
      since: this.since,
    };
    await this.store.beat(this.id, encode(presence), this.clock.nowUs() / 1_000);
    if (this.test === undefined) return;
    const holder = await this.store.holder('coordinator');
    this.goneBeats = holder === `running ${this.test}` ? 0 : this.goneBeats + 1;
    if (this.goneBeats < GONE_BEATS) return;
    this.options.note('the coordinator is gone: its test is given up');
    this.end();
  }

  private async step(again: boolean): Promise<void> {
    const entries = await this.store.read(this.commands, GROUP, READ_MS, again);
    for (const { id, text } of entries) {
      await this.take(text);
      await this.store.acknowledge(this.commands, GROUP, [id]);
    }
  }

  private async take(text: string): Promise<void> {
    if (versionOf(text) !== VERSION) throw new Error(versionFault('the coordinator', versionOf(text)));
    const request = decodeRequest(text);
    if (request.call === 'refuse') throw new Error(request.sentence);
    if (request.test === this.test && request.number <= this.number) return;
    // Of a test that was given up.
    if (request.call !== 'create' && request.test !== this.test) return;
    this.number = request.number;
    try {
      this.obey(request);
    } catch (error) {
      this.report({ fault: (error as Error).message, number: request.number });
    }
  }

  private obey(request: Request): void {
    const { number } = request;
    switch (request.call) {
      case 'create':
        return this.create(request, request.test, number);
      case 'run': {
        const startNs = this.clock.monotonicNs(request.startUs) + (request.run.startNs ?? 0);
        return this.share?.take({ call: 'run', run: { ...request.run, startNs }, number });
      }
      case 'flood':
        return this.share?.take({ call: 'flood', ratePerS: request.ratePerS, number });
      case 'end':
        this.options.note('the test is over');
        return this.end();
      case 'refuse':
        return;
      default:
        return this.share?.take({ call: request.call, number });
    }
  }

  private create(request: Create, test: string, number: number): void {
    this.end();
    this.test = test;
    this.goneBeats = 0;
    const options = this.optionsOf(request);
    const generator = this.options.generatorOf(options);
    this.options.note(`a test begins: ${options.connections} connections are this worker's share`);
    this.share = new Share(generator, (state) => this.say(state));
    this.share.take({ call: 'create', options: nativeOptions(options), number });
  }

  /** What stands on our own command line goes before what the coordinator says. */
  private optionsOf({ flags, source, ips, forms }: Create): MccOptions {
    const { own } = this.options;
    const addresses = own.networkStack === 'kernel' ? {} : { source, ips: String(ips) };
    const { options: read, faults } = readOptions({ ...flags, networkStack: 'qstack', ...addresses, ...own });
    if (read === undefined) throw new Error(faults.join('; '));
    const messages = own.message === undefined ? forms.messages : read.messages;
    const reply = own.message === undefined && own.reply === undefined ? forms.reply : read.reply;
    const options = { ...read, messages, reply };
    const fault = memoryFault(options, thisMachine().memoryBytes);
    if (fault !== undefined) throw new Error(fault);
    return options;
  }

  private say(state: ShareState): void {
    this.report({ state, clockErrorUs: this.clock.errorUs });
  }

  private report(news: News): void {
    if (this.test === undefined) return;
    const text = encode({ version: VERSION, worker: this.id, ...news });
    // Without Redis nobody hears it; heartbeats are missing then as well.
    this.store.append(this.store.key('reports', this.test), text).catch(() => {});
  }

  private async leaveTest(): Promise<void> {
    const { share } = this;
    share?.tell();
    this.report({ left: true });
    share?.take({ call: 'stop', number: this.number });
    share?.take({ call: 'close', number: this.number });
    const endMs = performance.now() + CLOSE_MS;
    while (share?.isClosed === false && performance.now() < endMs) await sleep(TELL_MS);
  }

  private end(): void {
    this.share?.destroy();
    this.share = undefined;
    this.test = undefined;
    this.number = 0;
  }
}
