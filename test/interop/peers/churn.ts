// A kernel client that opens and closes connections to an echo server at random, and checks every byte that comes back.
// In: address, port, connections at once, seconds, the mean life of one in ms, a seed. Out: as JSON, what was opened and checked,
// each kind of fault with its count, and the first connections that had one.
// A connection sends messages of random length with random pauses, none longer than its mean life; it ends by FIN once
// everything is back, by FIN with bytes still under way, or by RST. Its bytes are a part of one random block, so that they need no memory of their own.
import { connect, type Socket } from 'node:net';

const [address = '', ...numbers] = process.argv.slice(2);
const [port = 0, connections = 0, seconds = 0, lifeMs = 0, seed = 0] = numbers.map(Number);

const BLOCK = 1 << 20;
const MESSAGE_MAX = 4_096;
const MESSAGES_MEAN = 4;
/** The share of connections that is ended by RST, and by FIN before the echo is complete. */
const RESET = 0.1;
const EARLY_FIN = 0.3;
const LINGER_MS = 60_000;

let state = seed >>> 0;
/** mulberry32: 0 up to 1. */
function random(): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const block = Buffer.from(Uint8Array.from({ length: BLOCK }, () => random() * 256));
const below = (bound: number) => Math.floor(random() * bound);
const exponential = (mean: number) => -Math.log(1 - random()) * mean;

const alive = new Set<Client>();
const counts = { opened: 0, finished: 0, reset: 0, bytes: 0, peak: 0 };
const faults = new Map<string, number>();
const FAULTY_MAX = 5;
const faulty: object[] = [];
const startMs = performance.now();
let waiting = 0;

/** How long time has been over. */
const overMs = () => performance.now() - startMs - seconds * 1000;

function fail(what: string, client: Client): void {
  faults.set(what, (faults.get(what) ?? 0) + 1);
  if (faulty.length < FAULTY_MAX) faulty.push({ what, ...client.describe() });
}

class Client {
  private readonly socket: Socket;
  private readonly from = below(BLOCK / 2);
  private readonly ending = random();
  private messages = 1 + Math.floor(exponential(MESSAGES_MEAN - 1));
  private sent = 0;
  private back = 0;
  private fault: string | undefined;
  private wasReset = false;
  /** A socket that is closed no longer says it. */
  private localPort = 0;
  private readonly fromMs = performance.now();
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    alive.add(this);
    this.socket = connect({ host: address, port });
    this.socket.on('connect', () => {
      this.localPort = this.socket.localPort ?? 0;
      this.speak();
    });
    this.socket.on('data', (bytes) => this.check(bytes));
    this.socket.on('error', (error) => {
      this.fault ??= error.message;
    });
    this.socket.on('close', () => this.end());
  }

  /** For the reader of a failure. */
  describe(): object {
    const { localPort, sent, back, messages, wasReset } = this;
    const { readyState, writableLength } = this.socket;
    const ageMs = Math.round(performance.now() - this.fromMs);
    return { readyState, localPort, ageMs, writableLength, sent, back, messages, wasReset };
  }

  private speak(): void {
    const length = Math.min(1 + Math.floor(exponential(MESSAGE_MAX / 4)), MESSAGE_MAX, BLOCK / 2 - this.sent);
    this.socket.write(block.subarray(this.from + this.sent, this.from + this.sent + length));
    this.sent += length;
    this.messages -= 1;
    const last = this.messages === 0 || this.sent >= BLOCK / 2 || overMs() > 0;
    const pauseMs = Math.min(lifeMs, exponential(lifeMs / MESSAGES_MEAN));
    this.timer = setTimeout(() => (last ? this.close() : this.speak()), pauseMs);
    if (last && this.ending > 1 - EARLY_FIN) this.socket.end();
  }

  private check(bytes: Buffer): void {
    const at = this.from + this.back;
    this.back += bytes.length;
    counts.bytes += bytes.length;
    if (!bytes.equals(block.subarray(at, at + bytes.length))) this.fault ??= 'other bytes came back';
  }

  private close(): void {
    if (this.ending < RESET) {
      this.wasReset = true;
      this.socket.resetAndDestroy();
    } else if (this.back === this.sent) this.socket.end();
    else this.timer = setTimeout(() => this.close(), 20);
  }

  private end(): void {
    clearTimeout(this.timer);
    alive.delete(this);
    if (!this.wasReset && this.back !== this.sent) this.fault ??= 'fewer or more bytes came back';
    if (this.fault !== undefined) fail(this.fault, this);
    else counts[this.wasReset ? 'reset' : 'finished'] += 1;
    later(exponential(lifeMs / 10));
  }
}

/** Somebody takes the place of a connection that is gone, as long as there is time. */
function later(ms: number): void {
  if (ms > -overMs()) return;
  waiting += 1;
  setTimeout(() => {
    waiting -= 1;
    counts.opened += 1;
    new Client();
    counts.peak = Math.max(counts.peak, alive.size);
  }, ms);
}

function finish(): void {
  process.stdout.write(
    JSON.stringify({
      ...counts,
      left: [...alive].map((client) => client.describe()),
      faulty,
      faults: Object.fromEntries(faults),
    }),
  );
  process.exit(0);
}

const rampMs = Math.min(10_000, (seconds * 1000) / 4);
for (let number = 0; number < connections; number++) later(random() * rampMs);
setInterval(() => {
  if ((overMs() > 0 && alive.size === 0 && waiting === 0) || overMs() > LINGER_MS) finish();
}, 50);
