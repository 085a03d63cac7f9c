// Devices of iotepserver as one program: groups of connections that behave well or badly, side by side on one stack.
// In: one object of options. Out: "ready" when all are open, "warm" when the window is near; then one line of JSON with what each
// group has sent, and how long its answers took, by level. Latency of a paced group counts from the intended time, of any other from
// the send. What groups of high messages alone send and get goes first here as well: no real device would wait for others at its own end.
//   paced    a constant rate, the group's connections in turns
//   window   so many messages of each connection under way, the next one when an answer comes
//   greedy   as much as the server's TCP takes
//   deaf     the same, and no answer is ever read
import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../../../stack/app.js';
import { destinationPort, level, type Rule } from '../../../stack/classifier.js';
import type { Connection } from '../../../stack/connection.js';
import { fixed, stream } from '../../../stack/framing.js';
import { inline } from '../../../stack/inline.js';
import type { Message } from '../../../stack/message.js';
import { serve } from '../../../stack/serve.js';
import { DeviceTally, type LevelTimes } from '../priority/device-tally.js';

export interface Group {
  readonly name: string;
  readonly kind: 'paced' | 'window' | 'greedy' | 'deaf';
  /** One connection each. */
  readonly ports: readonly number[];
  /** Share of messages at the high level. */
  readonly highShare: number;
  readonly ratePerS?: number;
  readonly window?: number;
}

export interface DeviceOptions {
  readonly device: string;
  readonly hostIp: string;
  readonly server: string;
  readonly seed: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly groups: readonly Group[];
}

export interface DeviceReport {
  /** By name and level. */
  readonly groups: Readonly<Record<string, { high: LevelTimes; low: LevelTimes }>>;
  /** Retransmission time-outs of all devices, since they were opened. */
  readonly timeouts: number;
}

type Level = 'high' | 'low';
type Device = Connection<Level>;

const PORT = 80;
const REPLY_BYTES = 146;
const MESSAGE_BYTES = 200;
const TICK_MS = 1;
/** Between "warm" and the window: whoever hears it may read something. */
const PAUSE_MS = 100;
/** Of a paced group's rate: JavaScript at both ends is compiled before anything is measured. */
const WARM_UP_TIMES = 8;
/** Messages between two questions for room. */
const GULP = 64;
/** How long answers are waited for: to what was sent at the higher rate, and at the end. A busy machine takes seconds. */
const PATIENCE_MS = 30_000;

const levelOf = ({ highShare }: Group): Level => (highShare === 1 ? 'high' : 'low');

/** Replies are known by the ports that they come to. */
function rulesOf(groups: readonly Group[]): Rule<Level>[] {
  const high = groups.filter((group) => levelOf(group) === 'high');
  return high.map(({ ports }) => level('high').when(destinationPort.in(Math.min(...ports), Math.max(...ports))));
}

/** Or until patience ends. */
async function until(isMet: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!isMet() && performance.now() < deadlineMs) await sleep(TICK_MS);
}

class Fleet {
  private isWarm = false;
  private readonly pacing: Promise<void>[] = [];
  private over = false;
  private readonly message = new Uint8Array(MESSAGE_BYTES);
  private readonly connections = new Map<Group, Device[]>();

  constructor(
    private readonly app: App<Level>,
    private readonly options: DeviceOptions,
    private readonly tally: DeviceTally,
  ) {
    this.message[6] = 2;
  }

  async open(): Promise<void> {
    for (const group of this.options.groups) {
      const devices: Device[] = [];
      for (const localPort of group.ports) devices.push(await this.connect(group, localPort));
      this.connections.set(group, devices);
    }
  }

  private async connect(group: Group, localPort: number): Promise<Device> {
    const target = { address: this.options.server, port: PORT, localPort };
    if (group.kind === 'deaf') return this.app.connect({ ...target, framing: stream });
    const onReply = (reply: Message<Level>) => {
      this.tally.answered(reply);
      if (group.kind === 'window' && !this.over) reply.reply(this.next(group, performance.now()));
    };
    return this.app.connect({ ...target, framing: fixed(REPLY_BYTES) }, onReply);
  }

  private next(group: Group, sinceMs: number): Uint8Array {
    this.tally.write(this.message, group.name, group.highShare, sinceMs);
    return this.message;
  }

  /** Until stop(). */
  start(): void {
    for (const [group, devices] of this.connections) {
      if (group.kind === 'paced') this.pacing.push(this.warmUp(group, devices));
      else if (group.kind === 'window') this.fill(group, devices);
      else devices.forEach((device, index) => void this.gorge(group, group.ports[index] ?? 0, device));
    }
  }

  /** Ends when all of it is answered; then the group goes on at its own rate. */
  private async warmUp(group: Group, devices: readonly Device[]): Promise<void> {
    const { ratePerS = 1 } = group;
    await this.paceAt(ratePerS * WARM_UP_TIMES, group, devices, () => this.isWarm || this.over);
    await until(() => this.tally.underWay(group.name) === 0);
    void this.paceAt(ratePerS, group, devices, () => this.over);
  }

  private async paceAt(
    ratePerS: number,
    group: Group,
    devices: readonly Device[],
    isOver: () => boolean,
  ): Promise<void> {
    const everyMs = 1_000 / ratePerS;
    const how = { level: levelOf(group) };
    const beganMs = performance.now();
    for (let turn = 0; !isOver(); await sleep(TICK_MS)) {
      for (; beganMs + turn * everyMs <= performance.now(); turn++) {
        devices[turn % devices.length]?.send(this.next(group, beganMs + turn * everyMs), how);
      }
    }
  }

  private fill(group: Group, devices: readonly Device[]): void {
    for (const device of devices) {
      for (let i = 0; i < (group.window ?? 1); i++) device.send(this.next(group, performance.now()));
    }
  }

  /** A server that has enough of a device ends its connection; then it comes again. */
  private async gorge(group: Group, localPort: number, first: Device): Promise<void> {
    let device = first;
    while (!this.over) {
      for (let i = 0; i < GULP; i++) device.send(this.next(group, performance.now()));
      try {
        await device.drain();
      } catch {
        device = await this.again(group, localPort, device);
      }
    }
  }

  /** The same one, where it could not be opened yet. */
  private async again(group: Group, localPort: number, device: Device): Promise<Device> {
    await sleep(TICK_MS);
    if (this.over) return device;
    return this.connect(group, localPort).then(undefined, () => device);
  }

  /** Resolves when paced groups send at their own rate. */
  async warm(): Promise<void> {
    this.isWarm = true;
    await Promise.all(this.pacing);
  }

  stop(): void {
    this.over = true;
  }
}

const options = JSON.parse(process.argv[2] ?? '{}') as DeviceOptions;
const connectionsMax = options.groups.reduce((sum, { ports }) => sum + ports.length, 64);
const { device, hostIp } = options;
const config = { device, host_ip: hostIp, max_concurrency: connectionsMax, max_num_buffers: 32_768, log_level: 'warn' };
const definition = serve({ levels: ['high', 'low'], classify: rulesOf(options.groups), setup() {} });
const stack = await inline(definition, config);
const tally = new DeviceTally(options.seed);
const fleet = new Fleet(stack.app, options, tally);
await fleet.open();
process.stdout.write('ready\n');
fleet.start();
await sleep(options.warmUpMs);
await fleet.warm();
process.stdout.write('warm\n');
await sleep(PAUSE_MS);
tally.begin();
await sleep(options.windowMs);
tally.end();
const polite = options.groups.filter(({ kind }) => kind === 'paced' || kind === 'window').map(({ name }) => name);
await until(() => tally.awaited(polite) === 0);
fleet.stop();
const report: DeviceReport = {
  groups: tally.report(options.groups.map(({ name }) => name)),
  timeouts: stack.counters().counters.timeouts ?? 0,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
await stack.stop(0);
process.exit(0);
