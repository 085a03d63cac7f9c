// The devices of a long run, as one program on one inline stack. In: one object of options; then objects over the channel: Redis
// servers that end and begin, an app thread that is to die, the end. Out, over the channel: "ready" when every place has had a
// connection, a state each second, and at the end the last one, with what the stack has still in use when all are gone.
import { setTimeout as sleep } from 'node:timers/promises';
import { fixed } from '../../stack/framing.js';
import { type InlineStack, inline } from '../../stack/inline.js';
import { serve } from '../../stack/serve.js';
import { seededRandom } from '../bench/priority/device-tally.js';
import { type Census, leftOf, recordsInRings, stackCensus } from './census.js';
import { DevicePlace, type Ends, type Fleet } from './device.js';
import { Ledger, type Tally } from './ledger.js';
import { Outages } from './outages.js';
import { DEATH_PORT, DEATHS, type Death } from './plan.js';
import type { Plant } from './plants.js';

export interface FleetOptions {
  readonly device: string;
  readonly hostIp: string;
  readonly server: string;
  readonly seed: number;
  readonly connections: number;
  readonly ratePerS: number;
  readonly lifeMs: number;
  readonly patienceMs: number;
  readonly plants: readonly Plant[];
}

export interface FleetState {
  readonly tally: Tally;
  readonly ends: Ends;
  readonly open: number;
  readonly faults: readonly string[];
}

export type ToDevices =
  | { readonly type: 'redis'; readonly server: number; readonly isUp: boolean }
  | { readonly type: 'death'; readonly how: Death }
  | { readonly type: 'end' }
  | { readonly type: 'quit' };

export type FromDevices =
  | { readonly type: 'ready' }
  | { readonly type: 'state'; readonly state: FleetState }
  | { readonly type: 'ended'; readonly state: FleetState; readonly left: Census };

const PERIOD_MS = 1_000;
const PACKETS = 32_768;
/** A burst has two messages on average. */
const MESSAGES = 2;
const SETTLE_MS = 30_000;
const LOOK_MS = 100;
/** A planted fault comes with every message of this number. */
const PLANT_EVERY = 50;

const tell = (message: FromDevices) => process.send?.(message);

class Devices {
  private isOver = false;
  private readonly ends: Ends = { opened: 0, reset: 0, refused: 0, finish: 0, close: 0, cut: 0, abort: 0 };
  readonly outages = new Outages();
  private readonly ledger = new Ledger(this.outages);
  private readonly fresh: Census;
  private readonly places: Promise<void>[] = [];
  private messages = 0;

  constructor(
    private readonly stack: InlineStack<'normal'>,
    private readonly options: FleetOptions,
  ) {
    this.fresh = this.census();
  }

  private census(): Census {
    const { stack } = this;
    const rings = recordsInRings(stack.id, 1);
    return { ...stackCensus(stack.counters(), [stack.app.core.counts()]), 'records in rings': rings };
  }

  private fleet(): Fleet {
    const { options, ledger, ends, stack } = this;
    const { connections, ratePerS, lifeMs, patienceMs, plants, server } = options;
    const isPlanted = (fault: Plant) => plants.includes(fault) && this.messages % PLANT_EVERY === 0;
    const self = this;
    return {
      ...{ app: stack.app, server, ledger, ends, lifeMs, patienceMs },
      burstEveryMs: (connections * MESSAGES * 1_000) / ratePerS,
      get isOver() {
        return self.isOver;
      },
      isSent: () => {
        this.messages++;
        return !isPlanted('message');
      },
      onReply: (line, reply) => {
        ledger.reply(line, reply, performance.now());
        if (isPlanted('reply')) ledger.reply(line, reply, performance.now());
      },
    };
  }

  async begin(): Promise<void> {
    const { seed, connections } = this.options;
    const fleet = this.fleet();
    for (let number = 0; number < connections; number++) {
      const random = seededRandom(seed * 0x10001 + number);
      this.places.push(new DevicePlace(fleet, random).run());
    }
    while (this.ends.opened < connections) await sleep(LOOK_MS);
  }

  state(): FleetState {
    const { ledger, ends, stack } = this;
    return { tally: ledger.tally, ends, open: stack.app.core.counts().connections, faults: ledger.faults };
  }

  async die(how: Death): Promise<void> {
    const target = { address: this.options.server, port: DEATH_PORT, framing: fixed(1) };
    try {
      const connection = await this.stack.app.connect(target);
      connection.send(Uint8Array.of(DEATHS.indexOf(how)));
      await connection.closed;
    } catch (error) {
      this.ledger.fault(`an app thread could not be told to die: ${(error as Error).message}`);
    }
  }

  /** What is still in use when every device is gone and TIME-WAIT is over. */
  async end(): Promise<Census> {
    this.isOver = true;
    await Promise.all(this.places);
    const untilMs = performance.now() + SETTLE_MS;
    for (;;) {
      const left = leftOf(this.census(), this.fresh);
      if (Object.keys(left).length === 0 || performance.now() > untilMs) return left;
      await sleep(LOOK_MS);
    }
  }
}

const options = JSON.parse(process.argv[2] ?? '{}') as FleetOptions;
const stack = await inline(serve({ levels: ['normal'], setup() {} }), {
  device: options.device,
  host_ip: options.hostIp,
  max_concurrency: options.connections * 2,
  max_num_buffers: PACKETS,
  tcp_timewait: '1s',
  log_level: 'warn',
});
const devices = new Devices(stack, options);

async function obey(message: ToDevices): Promise<void> {
  switch (message.type) {
    case 'redis':
      if (message.isUp) devices.outages.began(message.server, performance.now());
      else devices.outages.ended(message.server, performance.now());
      break;
    case 'death':
      await devices.die(message.how);
      break;
    case 'end': {
      const left = await devices.end();
      tell({ type: 'ended', state: devices.state(), left });
      break;
    }
    case 'quit':
      process.stderr.write('told to quit\n');
      await stack.stop(0);
      process.stderr.write('the stack is down\n');
      process.exit(0);
  }
}

process.on('message', (message: ToDevices) => void obey(message));
await devices.begin();
tell({ type: 'ready' });
setInterval(() => tell({ type: 'state', state: devices.state() }), PERIOD_MS);
