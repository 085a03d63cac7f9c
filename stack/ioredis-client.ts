// ioredis in the place of the native client (`redis_client = ioredis`): the same rings, records and replies, so that RedisClient and
// handlers know no difference but speed. In: command records. Out: one completion each.
// What differs: a command that is under way when its connection breaks fails as lost, one that waits for a connection too; levels have
// no say once a command was handed over. Integers are exact, since ioredis gives their digits.
import { Cluster, Command, Redis, type RedisOptions } from 'ioredis';
import { RingConsumer, type RingPlace, RingProducer } from '../mempool/ring.js';
import {
  NO_INDEX,
  REDIS_COMMAND_BYTES,
  REDIS_COMPLETION_BYTES,
  REDIS_COMPLETION_ELAPSED_U32,
  REDIS_COMPLETION_LENGTH_U32,
  REDIS_COMPLETION_OFFSET_U32,
  REDIS_COMPLETION_OP_U32,
  REDIS_COMPLETION_PLACE_U32,
  REDIS_COMPLETION_STATUS_U8,
  REDIS_COMPLETION_TYPE_U8,
  REDIS_COMPLETION_VALUE_HIGH_U32,
  REDIS_COMPLETION_VALUE_LOW_U32,
  REDIS_STATUS_ERROR,
  REDIS_STATUS_LOST,
  REDIS_STATUS_OK,
  REDIS_STATUS_TIMEOUT,
  REDIS_STATUS_TOO_BIG,
  REDIS_TYPE_ERROR,
  REDIS_TYPE_NONE,
  RING_HEADER_BYTES,
} from './abi.js';
import { ReplyPlaces } from './ioredis-places.js';
import { answersStatus, type RawReply, rawReply } from './ioredis-replies.js';
import { type RedisRequest, RedisRequests } from './ioredis-requests.js';
import { loadNative, type NativePoller } from './native.js';
import type {
  NativePart,
  NativeRedis,
  NativeRedisOptions,
  NativeRedisStats,
  RedisLayout,
  RedisServer,
  RedisServerStats,
} from './redis-native.js';
import { REDIS_SLOTS } from './redis-topology.js';

const COMMANDS = 16_384;
const SCRATCH_BYTES = 1_024 * 1_024;
const SWEEP_MS = 10;
const RETRY_MS = 50;
const RETRY_MAX_MS = 1_000;
const NO_REPLY: RawReply = { type: REDIS_TYPE_NONE, integer: 0n, bytes: Buffer.alloc(0) };

/** A command that was handed over; `isTold`: its time was up, and its reply goes to nobody. */
interface UnderWay {
  readonly op: number;
  readonly stamp: number;
  readonly deadlineMs: number;
  readonly link: Link;
  isTold: boolean;
}

type Counts = { -readonly [K in keyof RedisServerStats]: RedisServerStats[K] };

/** A server, or a cluster as a whole. */
interface Link {
  readonly client: Redis | Cluster;
  readonly counts: Counts;
}

const OPTIONS = {
  stringNumbers: true,
  // What was under way fails with the connection: it may have been carried out.
  maxRetriesPerRequest: 0,
  connectTimeout: RETRY_MAX_MS,
} as const satisfies RedisOptions;

function blankCounts(address: string): Counts {
  return {
    address,
    ...{
      sent: 0,
      replied: 0,
      errors: 0,
      moved: 0,
      asked: 0,
      retried: 0,
      lost: 0,
      timeouts: 0,
      discarded: 0,
      tooBig: 0,
    },
    ...{ connects: 0, disconnects: 0, bytesIn: 0, bytesOut: 0, inFlight: 0, connected: false, lastError: 0 },
    waiting: [],
  };
}

function linkTo(client: Redis | Cluster, address: string): Link {
  const counts = blankCounts(address);
  client.on('ready', () => {
    counts.connects++;
    counts.connected = true;
  });
  client.on('close', () => {
    if (counts.connected) counts.disconnects++;
    counts.connected = false;
  });
  client.on('error', (error: NodeJS.ErrnoException) => {
    counts.lastError = Math.abs(error.errno ?? 0);
  });
  return { client, counts };
}

const retry = (times: number) => Math.min(RETRY_MS * 2 ** Math.min(times, 10), RETRY_MAX_MS);

function linksOf({ servers, cluster }: NativeRedisOptions): Link[] {
  const text = (server: RedisServer) => ('path' in server ? server.path : `${server.host}:${server.port}`);
  if (cluster) {
    const seeds = servers.flatMap((server) => ('path' in server ? [] : [{ host: server.host, port: server.port }]));
    const made = new Cluster(seeds, { clusterRetryStrategy: retry, enableReadyCheck: false, redisOptions: OPTIONS });
    return [linkTo(made, servers.map(text).join(','))];
  }
  return servers.map((server) => {
    const at = 'path' in server ? { path: server.path } : { host: server.host, port: server.port };
    return linkTo(new Redis({ ...at, ...OPTIONS, retryStrategy: retry }), text(server));
  });
}

export class IoredisClient implements NativeRedis {
  readonly block: ArrayBuffer;
  readonly layout: RedisLayout;
  private readonly links: Link[];
  private readonly requests: RedisRequests;
  private readonly places: ReplyPlaces;
  private readonly commands: RingConsumer;
  private readonly completions: RingProducer;
  private readonly releases: RingConsumer;
  private readonly words: Uint32Array;
  private readonly bytes: Buffer;
  private readonly underWay = new Set<UnderWay>();
  private readonly native = loadNative();
  private poller: NativePoller | null = null;
  private sweeper: NodeJS.Timeout | null = null;
  private isToldSoon = false;

  constructor(options: NativeRedisOptions) {
    const commands = options.commands ?? COMMANDS;
    const scratchBytes = options.scratchBytes ?? SCRATCH_BYTES;
    let at = 3 * RING_HEADER_BYTES;
    const ring = (number: number, capacity: number, recordBytes: number): RingPlace => {
      const place = { headerAt: number * RING_HEADER_BYTES, recordsAt: at, capacity, recordBytes };
      at += capacity * recordBytes;
      return place;
    };
    const rings = {
      commands: ring(0, commands, REDIS_COMMAND_BYTES),
      completions: ring(1, 2 * commands, REDIS_COMPLETION_BYTES),
      releases: ring(2, 4 * commands, 4),
    };
    this.layout = { ...rings, scratchAt: at, scratchBytes };
    this.places = new ReplyPlaces(at + scratchBytes, [commands, 1_024, 64, 8]);
    this.block = new ArrayBuffer(this.places.end);
    const signed = new Int32Array(this.block);
    this.words = new Uint32Array(this.block);
    this.bytes = Buffer.from(this.block);
    this.commands = new RingConsumer(signed, rings.commands);
    this.completions = new RingProducer(signed, rings.completions);
    this.releases = new RingConsumer(signed, rings.releases);
    const arena =
      options.stack === undefined ? new Uint8Array() : new Uint8Array(this.native.attachArena(options.stack));
    this.requests = new RedisRequests(this.block, at, arena);
    this.links = linksOf(options);
  }

  addTemplate(args: readonly (readonly NativePart[])[]): number {
    return this.requests.add(args);
  }

  /** ioredis knows the slots of its cluster by itself. */
  setTopology(): void {}

  /** Its connections have no levels. */
  schedule(): void {}

  attach(poller: NativePoller): void {
    this.poller = poller;
  }

  take(): void {
    this.takeBack();
    this.commands.refresh();
    for (let n = this.commands.available; n > 0; n--) {
      this.send(this.requests.read(this.commands.peek()));
      this.commands.advance();
    }
    this.commands.publish();
  }

  published(): void {
    this.take();
  }

  poll(): number {
    this.take();
    return 0;
  }

  private takeBack(): void {
    this.releases.refresh();
    for (let n = this.releases.available; n > 0; n--) {
      this.places.release(this.words[this.releases.peek()] as number);
      this.releases.advance();
    }
    this.releases.publish();
  }

  private send(request: RedisRequest): void {
    const command = new Command(request.name, request.args, { replyEncoding: null });
    const link = this.linkOf(command);
    const { op, stamp, timeoutMs } = request;
    const one: UnderWay = { op, stamp, deadlineMs: performance.now() + timeoutMs, link, isTold: false };
    const isStatus = answersStatus(request.name, request.args);
    this.underWay.add(one);
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS);
    link.counts.sent++;
    link.counts.inFlight++;
    command.promise.then(
      (value) => this.replied(one, rawReply(value, isStatus)),
      (error: Error) => this.refused(one, error),
    );
    link.client.sendCommand(command);
  }

  private linkOf(command: Command): Link {
    const slot = this.links.length === 1 ? 0 : (command.getSlot() ?? 0);
    return this.links[Math.floor((slot * this.links.length) / REDIS_SLOTS)] as Link;
  }

  private sweep(): void {
    const now = performance.now();
    for (const one of this.underWay) {
      if (one.isTold || one.deadlineMs > now) continue;
      one.isTold = true;
      one.link.counts.timeouts++;
      this.complete(one, REDIS_STATUS_TIMEOUT, NO_REPLY);
    }
  }

  /** True: somebody still waits for it. */
  private ended(one: UnderWay): boolean {
    this.underWay.delete(one);
    one.link.counts.inFlight--;
    if (this.underWay.size === 0 && this.sweeper !== null) {
      clearInterval(this.sweeper);
      this.sweeper = null;
    }
    return !one.isTold;
  }

  private replied(one: UnderWay, reply: RawReply, status = REDIS_STATUS_OK): void {
    const { counts } = one.link;
    counts.replied++;
    if (status === REDIS_STATUS_ERROR) counts.errors++;
    if (this.ended(one)) this.complete(one, status, reply);
    else counts.discarded++;
  }

  private refused(one: UnderWay, error: Error): void {
    if (error.name === 'ReplyError') {
      this.replied(one, { ...NO_REPLY, type: REDIS_TYPE_ERROR, bytes: Buffer.from(error.message) }, REDIS_STATUS_ERROR);
    } else if (this.ended(one)) {
      one.link.counts.lost++;
      this.complete(one, REDIS_STATUS_LOST, NO_REPLY);
    }
  }

  private complete(one: UnderWay, status: number, reply: RawReply): void {
    const { words, bytes } = this;
    const { length } = reply.bytes;
    this.takeBack();
    const place = length === 0 ? undefined : this.places.allocate(length);
    const isKept = length === 0 || place !== undefined;
    if (!isKept) one.link.counts.tooBig++;
    const at = this.completions.push();
    words[at + REDIS_COMPLETION_OP_U32] = one.op;
    bytes[at * 4 + REDIS_COMPLETION_STATUS_U8] = isKept ? status : REDIS_STATUS_TOO_BIG;
    bytes[at * 4 + REDIS_COMPLETION_TYPE_U8] = reply.type;
    words[at + REDIS_COMPLETION_OFFSET_U32] = place?.at ?? 0;
    words[at + REDIS_COMPLETION_LENGTH_U32] = isKept ? length : 0;
    words[at + REDIS_COMPLETION_VALUE_LOW_U32] = Number(BigInt.asUintN(32, reply.integer));
    words[at + REDIS_COMPLETION_VALUE_HIGH_U32] = Number(BigInt.asUintN(32, reply.integer >> 32n));
    words[at + REDIS_COMPLETION_PLACE_U32] = place?.id ?? NO_INDEX;
    words[at + REDIS_COMPLETION_ELAPSED_U32] = (this.native.stamp() - one.stamp) >>> 0;
    if (place !== undefined) reply.bytes.copy(bytes, place.at);
    this.tellSoon();
  }

  /** Once for all replies of one read. */
  private tellSoon(): void {
    if (this.isToldSoon) return;
    this.isToldSoon = true;
    setImmediate(() => {
      this.isToldSoon = false;
      this.completions.publish();
      this.poller?.kick();
    });
  }

  stats(): NativeRedisStats {
    return { servers: this.links.map(({ counts }) => ({ ...counts })), refused: 0, placesInUse: this.places.inUse };
  }

  close(): void {
    if (this.sweeper !== null) clearInterval(this.sweeper);
    this.poller = null;
    for (const one of this.underWay) one.isTold = true;
    for (const { client } of this.links) client.disconnect();
  }
}
