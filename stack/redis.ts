// RedisClient: Redis for handlers, `const value = yield* redis.get(key)`.
// In: ops of coroutines. Out: command records, at the level of the coroutine that waits; completions come back as replies.
// Keys are shared out over the servers by the slots of Redis Cluster: all keys of a command belong into one hash tag.
//
//   op ──room──▶ command ring ║ native/redis: level queues, pipelines ║ completion ring ──▶ op.complete, its task is ready
//    └─none─▶ WaitingLine of its level
//
// Invariant: lower levels never take the last quarter of the client's room, so level 0 is never refused because of them.
// Read first: native/redis/client.hh, redis-op.ts. A prepared command makes no string and no object but its reply.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { makePolicy } from '../coroutine/make-policy.js';
import type { Heads, PolicyOptions, SchedulingPolicy } from '../coroutine/policy.js';
import type { Scheduler } from '../coroutine/scheduler.js';
import type { Task } from '../coroutine/task.js';
import { WaitingLine } from '../coroutine/waiting-line.js';
import { ArenaView, isByteSource } from '../mempool/view.js';
import {
  NO_INDEX,
  REDIS_BY_KEY,
  REDIS_COMMAND_LENGTH_0_U32,
  REDIS_COMMAND_NUMBER_U32,
  REDIS_COMMAND_OFFSET_0_U32,
  REDIS_COMMAND_OP_U32,
  REDIS_COMMAND_PEER_ADDRESS_U32,
  REDIS_COMMAND_PEER_PORT_U16,
  REDIS_COMMAND_STAMP_U32,
  REDIS_COMMAND_TIMEOUT_MS_U32,
  REDIS_COMMAND_WAITED_MS_U16,
  REDIS_COMPLETION_ELAPSED_U32,
  REDIS_COMPLETION_LENGTH_U32,
  REDIS_COMPLETION_OFFSET_U32,
  REDIS_COMPLETION_OP_U32,
  REDIS_COMPLETION_PLACE_U32,
  REDIS_COMPLETION_SHARD_U16,
  REDIS_COMPLETION_STATUS_U8,
  REDIS_COMPLETION_VALUE_HIGH_U32,
  REDIS_COMPLETION_VALUE_LOW_U32,
  REDIS_PEER_TEXT,
  REDIS_RAW,
  REDIS_STATUS_ERROR,
  REDIS_STATUS_LOST,
  REDIS_STATUS_OK,
  REDIS_STATUS_REFUSED,
  REDIS_STATUS_TIMEOUT,
  REDIS_TYPE_NIL,
  STAMP_SHIFT,
} from './abi.js';
import type { TurnSource } from './app-core.js';
import { formatEndpoint } from './config/address.js';
import { diagnostics } from './diagnostics.js';
import { QstackError } from './errors.js';
import type { NativePoller } from './native.js';
import { policyWords } from './policy.js';
import { byteLengthOf, RedisBlock, type RedisBytes } from './redis-block.js';
import { encodeCommand, keyOf } from './redis-command.js';
import { RedisCrowd } from './redis-crowd.js';
import {
  createNativeRedis,
  type MakeNativeRedis,
  type NativeRedis,
  type NativeRedisOptions,
  type NativeRedisStats,
} from './redis-native.js';
import { type NumberOp, RedisOp, type RedisOpHost, type RedisResult, type ReplyOp } from './redis-op.js';
import { RedisReply, replyError } from './redis-reply.js';
import {
  bytes,
  compileTemplate,
  type HoleKind,
  number,
  peer,
  type RedisPeer,
  type TemplateArgument,
  type ValuesOf,
} from './redis-template.js';
import type { RedisTopology } from './redis-topology.js';
import { type AppSojourn, CELLS, cellOf, REDIS, US_PER_STAMP } from './sojourn.js';

const COMMAND_BYTES_MAX = 512 * 1024;
const TIMEOUT_MS = 1_000;
/** Of the smallest weight, under the policy `weighted`. */
const COMMANDS_PER_ROUND = 4;
const STAMPS_PER_MS = 1_000_000 / 2 ** STAMP_SHIFT;
const WAITED_MS_MAX = 0xffff;
const NS_PER_STAMP = 2 ** STAMP_SHIFT;

export interface RedisClientOptions extends Omit<NativeRedisOptions, 'policy'> {
  /** Priority levels of the stack. */
  readonly levels: number;
  readonly scheduler: Scheduler;
  /** Where the time of each command is counted, beside stats(). */
  readonly sojourn?: AppSojourn;
  /** Which level's commands go first when there is no room for all. */
  readonly policy: PolicyOptions;
  /** What stands behind the rings; default the native client. */
  readonly makeNative?: MakeNativeRedis | undefined;
  /** How long a command may take, waiting included; default 1000. */
  readonly timeoutMs?: number;
}

export interface SetOptions {
  /** Returns the old value. */
  readonly get?: boolean;
  /** The value expires after so many milliseconds. */
  readonly ttlMs?: number;
}

export interface RedisLevelStats {
  /** Completions of any kind. */
  readonly completed: number;
  /** From the start of the op to its outcome. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export interface RedisStats extends NativeRedisStats {
  /** By server, in the cells of sojourn.ts: from the start of the op to its outcome. */
  readonly latency: readonly Float64Array[];
  readonly levels: readonly RedisLevelStats[];
  /** Ops that wait in JavaScript for room. */
  readonly queued: number;
}

/** Makes the op of a prepared command from the values of its holes. */
export type PreparedCommand<Values extends readonly unknown[]> = (...values: Values) => ReplyOp;

export class RedisClient implements TurnSource, RedisOpHost, Heads {
  /** Holes for prepare(). */
  readonly peer = peer;
  readonly bytes = bytes;
  readonly number = number;
  private readonly native: NativeRedis;
  private readonly block: RedisBlock;
  private readonly scheduler: Scheduler;
  private readonly sojourn: AppSojourn | undefined;
  private readonly levels: number;
  private readonly timeoutMs: number;
  private readonly pool: RedisOp[] = [];
  /** Ops whose commands are under way, by number. */
  private readonly active: (RedisOp | null)[] = [];
  private readonly freeIds: number[] = [];
  private readonly queues: WaitingLine<RedisOp>[] = [];
  private policy: SchedulingPolicy;
  private readonly latency: RecordableHistogram[] = [];
  private readonly shardCells: Float64Array[] = [];
  private underWay = 0;
  private readonly crowd = new RedisCrowd();
  private inTurn = false;
  private attached = false;
  private isClosed = false;
  private readonly shapes: { get: number; set: number; setGet: number; setTtl: number; setGetTtl: number };
  private readonly numberShapes: { del: number; incr: number };

  constructor(options: RedisClientOptions) {
    const { levels, scheduler, sojourn, policy, makeNative, timeoutMs = TIMEOUT_MS, ...native } = options;
    this.native = (makeNative ?? createNativeRedis)({ ...native, levels, policy: policyWords(policy) });
    this.block = new RedisBlock(this.native);
    this.scheduler = scheduler;
    this.sojourn = sojourn;
    this.policy = makePolicy(policy, this, COMMANDS_PER_ROUND, 1);
    this.levels = levels;
    this.timeoutMs = timeoutMs;
    for (let level = 0; level < levels; level++) {
      this.queues.push(new WaitingLine());
      this.latency.push(createHistogram());
    }
    const shape = (...args: TemplateArgument[]) => this.native.addTemplate(compileTemplate(args).args, 1);
    this.shapes = {
      get: shape('GET', bytes),
      set: shape('SET', bytes, bytes),
      setGet: shape('SET', bytes, bytes, 'GET'),
      setTtl: shape('SET', bytes, bytes, 'PX', number),
      setGetTtl: shape('SET', bytes, bytes, 'GET', 'PX', number),
    };
    this.numberShapes = { del: shape('DEL', bytes), incr: shape('INCR', bytes) };
  }

  /** From now on commands travel: called once when the poller of this thread is there. */
  attach(poller: NativePoller): void {
    this.native.attach(poller);
    this.attached = true;
  }

  /** Another slot map of the cluster; what waits for a server that has lost its slots goes to the one that has them. */
  follow({ servers, slots }: RedisTopology): void {
    if (!this.isClosed) this.native.setTopology(servers, slots);
  }

  schedule(policy: PolicyOptions): void {
    this.policy = makePolicy(policy, this, COMMANDS_PER_ROUND, 1);
    if (!this.isClosed) this.native.schedule(policyWords(policy));
  }

  // ---- commands

  /** The value, or null. */
  get(key: RedisBytes): ReplyOp {
    return this.op(this.shapes.get).push(key) as ReplyOp;
  }

  /** With `get` the old value or null, else the status OK. */
  set(key: RedisBytes, value: RedisBytes, options: SetOptions = {}): ReplyOp {
    const { get = false, ttlMs } = options;
    const { shapes } = this;
    if (ttlMs === undefined)
      return this.op(get ? shapes.setGet : shapes.set)
        .push(key)
        .push(value) as ReplyOp;
    const op = this.op(get ? shapes.setGetTtl : shapes.setTtl);
    op.numberValue = checkNumber(ttlMs);
    return op.push(key).push(value) as ReplyOp;
  }

  /** 1 if the key was there. */
  del(key: RedisBytes): NumberOp {
    return this.numberOp(this.numberShapes.del).push(key) as NumberOp;
  }

  /** The new value; exact up to 2^53. */
  incr(key: RedisBytes): NumberOp {
    return this.numberOp(this.numberShapes.incr).push(key) as NumberOp;
  }

  /** Any command that has one reply. Slower than prepare(): it is encoded each time. */
  command(name: string, ...args: readonly (RedisBytes | number)[]): ReplyOp {
    const encoded = encodeCommand(name, args);
    return this.op(REDIS_RAW).push(encoded).push(keyOf(name, args)) as ReplyOp;
  }

  /**
   * A command for the hot path: `prepare('SET', ['s:{', redis.peer, '}'], redis.bytes, 'GET')` gives a function of the
   * values of its holes. The key is the first argument behind the name.
   */
  prepare<const A extends readonly [string, ...TemplateArgument[]]>(...args: A): PreparedCommand<ValuesOf<A>> {
    const { args: compiled, holes } = compileTemplate(args);
    const shape = this.native.addTemplate(compiled, compiled.length > 1 ? 1 : 0);
    return (...values) => this.fill(this.op(shape), holes, values) as ReplyOp;
  }

  private fill(op: RedisOp, holes: readonly HoleKind[], values: readonly unknown[]): RedisOp {
    for (let i = 0; i < holes.length; i++) {
      const value = values[i];
      if (holes[i] === 'bytes') op.push(value as RedisBytes);
      else if (holes[i] === 'number') op.numberValue = checkNumber(value as number);
      else fillPeer(op, value as RedisPeer);
    }
    return op;
  }

  private op(shape: number): RedisOp {
    const op = this.pool.pop()?.again() ?? new RedisOp(this);
    op.shape = shape;
    op.shard = REDIS_BY_KEY;
    op.timeoutMs = this.timeoutMs;
    return op;
  }

  private numberOp(shape: number): RedisOp {
    const op = this.op(shape);
    op.wantsNumber = true;
    return op;
  }

  // ---- what ops ask

  submit(op: RedisOp, task: Task): void {
    if (!this.attached || this.isClosed) throw notOnTheAir(this.isClosed);
    op.level = Math.min(task.level, this.levels - 1);
    op.arrival = task.arrival;
    op.startStamp = this.inTurn ? this.scheduler.stamp : this.scheduler.currentStamp;
    const queue = this.queues[op.level] as WaitingLine<RedisOp>;
    if (queue.length > 0 || !this.write(op, op.timeoutMs)) queue.push(op);
    if (!this.inTurn) this.scheduler.kick();
  }

  forget(op: RedisOp): boolean {
    if (op.waits) {
      (this.queues[op.level] as WaitingLine<RedisOp>).remove(op);
      return true;
    }
    // The bytes that the command points to may go with its handler.
    this.block.takeNow();
    return false;
  }

  recycle(op: RedisOp): void {
    if (op.id >= 0) this.freeId(op);
    this.pool.push(op);
  }

  private freeId(op: RedisOp): void {
    this.active[op.id] = null;
    this.freeIds.push(op.id);
    op.id = -1;
  }

  private takeId(op: RedisOp): number {
    op.id = this.freeIds.pop() ?? this.active.length;
    this.active[op.id] = op;
    return op.id;
  }

  // ---- records

  private hasRoom(level: number): boolean {
    const { capacity } = this.block.commands;
    const limit = level === 0 ? capacity : capacity - (capacity >>> 2);
    return this.underWay < limit && this.block.commands.hasRoom(1);
  }

  /** False: there is no room now. Throws when there never will be. */
  private write(op: RedisOp, timeoutMs: number): boolean {
    if (!this.hasRoom(op.level)) return false;
    const scratch = scratchLength(op);
    const offset = scratch === 0 ? 0 : this.block.reserve(scratch);
    if (offset < 0) return false;
    const at = this.block.commands.push();
    const { u32, u16 } = this.block;
    const inScratch = this.writeValues(op, at, offset);
    u32[at + REDIS_COMMAND_OP_U32] = this.takeId(op);
    u32[at + 1] = op.shape | (op.level << 16) | (op.valueCount << 24);
    u32[at + 2] = op.shard | (inScratch << 16);
    u32[at + REDIS_COMMAND_TIMEOUT_MS_U32] = timeoutMs;
    u32[at + REDIS_COMMAND_PEER_ADDRESS_U32] = op.peerText === '' ? op.peerAddress : offset;
    u16[at * 2 + REDIS_COMMAND_PEER_PORT_U16] = op.peerText === '' ? op.peerPort : op.peerText.length;
    u16[at * 2 + REDIS_COMMAND_WAITED_MS_U16] = waitedMs(op);
    u32[at + REDIS_COMMAND_NUMBER_U32] = op.numberValue;
    u32[at + REDIS_COMMAND_STAMP_U32] = op.startStamp;
    this.underWay++;
    return true;
  }

  /** Bit k of the result: value k lies in the scratch area, behind the text of the peer. */
  private writeValues(op: RedisOp, at: number, offset: number): number {
    const { u32 } = this.block;
    let next = offset + op.peerText.length;
    let inScratch = 0;
    if (op.peerText !== '') {
      this.block.put(op.peerText, offset, op.peerText.length);
      inScratch = REDIS_PEER_TEXT;
    }
    for (let k = 0; k < op.valueCount; k++) {
      const value = op.values[k] as RedisBytes;
      const length = byteLengthOf(value);
      const inArena = value instanceof ArenaView;
      u32[at + REDIS_COMMAND_OFFSET_0_U32 + 2 * k] = inArena ? value.arenaOffset : next;
      u32[at + REDIS_COMMAND_LENGTH_0_U32 + 2 * k] = length;
      if (inArena) continue;
      this.block.put(value, next, length);
      inScratch |= 1 << k;
      next += length;
    }
    return inScratch;
  }

  beginTurn(): void {
    this.inTurn = true;
    const { completions } = this.block;
    completions.refresh();
    for (let n = completions.available; n > 0; n--) {
      this.complete(completions.peek());
      completions.advance();
    }
    completions.publish();
    this.writeQueued();
  }

  get isCrowded(): boolean {
    return this.crowd.isCrowded(this.underWay, this.scheduler.stamp);
  }

  endTurn(): void {
    this.block.publish();
    this.inTurn = false;
  }

  since(level: number): number {
    return (this.queues[level] as WaitingLine<RedisOp>).oldest?.arrival ?? this.scheduler.stamp;
  }

  /** What waits for room, level by level as the policy says. */
  private writeQueued(): void {
    let mask = 0;
    for (let level = 0; level < this.levels; level++) {
      if ((this.queues[level] as WaitingLine<RedisOp>).length > 0) mask |= 1 << level;
    }
    if (mask !== 0) this.policy.begin(mask, this.scheduler.stamp);
    while (mask !== 0) {
      const level = this.policy.next(mask);
      const written = this.writeBurst(this.queues[level] as WaitingLine<RedisOp>, this.policy.burst);
      this.policy.charge(level, written);
      if (written < this.policy.burst) mask &= ~(1 << level);
    }
  }

  /** Takes at most `most` ops from a queue, as far as there is room; returns how many. */
  private writeBurst(queue: WaitingLine<RedisOp>, most: number): number {
    let taken = 0;
    for (let op = queue.oldest; op !== null && taken < most; op = queue.oldest) {
      if (!this.writeOne(queue, op)) break;
      taken++;
    }
    return taken;
  }

  /** False: there is no room. */
  private writeOne(queue: WaitingLine<RedisOp>, op: RedisOp): boolean {
    const waited = ((this.scheduler.stamp - op.startStamp) >>> 0) / STAMPS_PER_MS;
    const left = Math.ceil(op.timeoutMs - waited);
    let error: unknown = null;
    let isWritten = false;
    try {
      if (left > 0 && !this.write(op, left)) return false;
      isWritten = left > 0;
    } catch (thrown) {
      error = thrown;
    }
    queue.remove(op);
    if (!isWritten) op.fail(error ?? failure(REDIS_STATUS_TIMEOUT));
    return true;
  }

  private complete(at: number): void {
    const { u32, u8 } = this.block;
    const op = this.active[u32[at + REDIS_COMPLETION_OP_U32] as number];
    if (op === undefined || op === null) throw new QstackError('QST_ERR_INTERNAL', 'a completion that no op asked for');
    const status = u8[at * 4 + REDIS_COMPLETION_STATUS_U8] as number;
    const elapsed = u32[at + REDIS_COMPLETION_ELAPSED_U32] as number;
    this.underWay--;
    this.freeId(op);
    (this.latency[op.level] as RecordableHistogram).record(Math.max(1, elapsed * NS_PER_STAMP));
    this.sojourn?.record(REDIS, op.level, 0, elapsed);
    const server = this.block.u16[at * 2 + REDIS_COMPLETION_SHARD_U16] as number;
    this.countShard(server, elapsed);
    if (diagnostics.redis.hasSubscribers) {
      const elapsedUs = elapsed * US_PER_STAMP;
      diagnostics.redis.publish({ server, level: op.level, ok: status === REDIS_STATUS_OK, elapsedUs });
    }
    if (status === REDIS_STATUS_OK) {
      this.crowd.reply(this.scheduler.stamp, elapsed);
      this.succeed(op, at);
    } else this.fail(op, status, at);
  }

  /** A refused command has come to no server; those of a cluster become more. */
  private countShard(shard: number, elapsed: number): void {
    if (shard === REDIS_BY_KEY) return;
    this.shardCells[shard] ??= new Float64Array(CELLS);
    const cells = this.shardCells[shard];
    const cell = cellOf(elapsed);
    cells[cell] = (cells[cell] as number) + 1;
  }

  private fail(op: RedisOp, status: number, at: number): void {
    const { u32 } = this.block;
    const place = u32[at + REDIS_COMPLETION_PLACE_U32] as number;
    const [offset, length] = [u32[at + REDIS_COMPLETION_OFFSET_U32], u32[at + REDIS_COMPLETION_LENGTH_U32]];
    const error =
      status === REDIS_STATUS_ERROR ? replyError(this.block, offset as number, length as number) : failure(status);
    if (place !== NO_INDEX) this.block.giveBack(place);
    op.fail(error);
  }

  private succeed(op: RedisOp, at: number): void {
    const { u32, u8 } = this.block;
    const type = u8[at * 4 + REDIS_COMPLETION_STATUS_U8 + 1] as number;
    const place = u32[at + REDIS_COMPLETION_PLACE_U32] as number;
    if (op.isForgotten || type === REDIS_TYPE_NIL) {
      if (place !== NO_INDEX) this.block.giveBack(place);
      op.complete(null);
      return;
    }
    const reply = new RedisReply(
      this.block,
      type,
      u32[at + REDIS_COMPLETION_OFFSET_U32] as number,
      u32[at + REDIS_COMPLETION_LENGTH_U32] as number,
      place,
      u32[at + REDIS_COMPLETION_VALUE_LOW_U32] as number,
      u32[at + REDIS_COMPLETION_VALUE_HIGH_U32] as number,
    );
    op.complete(this.owned(op, reply));
  }

  /** Somebody has to give the place back: the handler's end, or we now. */
  private owned(op: RedisOp, reply: RedisReply): RedisResult {
    if (op.wantsNumber) {
      const value = reply.number();
      reply.releaseResource();
      return value;
    }
    const task = op.asker;
    if (task === null || task === this.scheduler.outside) return reply.detach();
    task.attach(reply);
    return reply;
  }

  // ---- control

  stats(): RedisStats {
    const levels = this.latency.map((histogram) => ({
      completed: histogram.count,
      p50Us: histogram.percentile(50) / 1_000,
      p99Us: histogram.percentile(99) / 1_000,
      maxUs: histogram.count === 0 ? 0 : histogram.max / 1_000,
    }));
    const latency = Array.from(this.shardCells, (cells) => cells?.slice() ?? new Float64Array(CELLS));
    return {
      ...this.native.stats(),
      latency,
      levels,
      queued: this.queues.reduce((sum, queue) => sum + queue.length, 0),
    };
  }

  /** Forgets the latencies recorded so far. */
  resetLatency(): void {
    for (const histogram of this.latency) histogram.reset();
  }

  /** Ends all connections. What is under way fails as lost. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.native.close();
    for (const queue of this.queues) {
      for (let op = queue.oldest; op !== null; op = queue.oldest) {
        queue.remove(op);
        op.fail(failure(REDIS_STATUS_LOST));
      }
    }
    for (const op of [...this.active]) {
      if (op === null) continue;
      this.freeId(op);
      op.fail(failure(REDIS_STATUS_LOST));
    }
  }
}

/** How long the op's message had waited before; a frame that was polled behind the turn's stamp has not. */
function waitedMs({ startStamp, arrival }: RedisOp): number {
  return Math.min(Math.max(0, (startStamp - arrival) | 0) / STAMPS_PER_MS, WAITED_MS_MAX);
}

function checkNumber(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return value;
  throw new QstackError('QST_ERR_INVALID_ARGUMENT', `${value} is no whole number from 0 to 4294967295`);
}

/** Bytes that have to be copied; what lies in the arena stays there. */
/** A message makes the text of `remote` anew each time: it is asked for IPv6 alone. */
function fillPeer(op: RedisOp, from: RedisPeer): void {
  op.peerAddress = from.remoteAddress;
  op.peerPort = from.remotePort;
  if (op.peerAddress !== 0) return;
  const { remote } = from;
  if (remote !== undefined) op.peerText = formatEndpoint(remote.address, op.peerPort);
}

function scratchLength(op: RedisOp): number {
  let scratch = op.peerText.length;
  let all = 0;
  for (let k = 0; k < op.valueCount; k++) {
    const value = op.values[k] as RedisBytes;
    if (typeof value !== 'string' && !(value instanceof Uint8Array) && !isByteSource(value)) {
      throw new QstackError(
        'QST_ERR_INVALID_ARGUMENT',
        'keys and values are strings, Uint8Arrays, or bytes of a message',
      );
    }
    const length = byteLengthOf(value);
    all += length;
    if (!(value instanceof ArenaView)) scratch += length;
  }
  if (all <= COMMAND_BYTES_MAX) return scratch;
  throw new QstackError('QST_ERR_INVALID_ARGUMENT', `a command of ${all} bytes; at most ${COMMAND_BYTES_MAX} are sent`);
}

function notOnTheAir(isClosed: boolean): QstackError {
  return isClosed
    ? new QstackError('QST_ERR_STACK_STOPPED', 'the Redis client was closed')
    : new QstackError(
        'QST_ERR_NO_SCHEDULER',
        'Redis is asked before the stack is on the air; ops belong into handlers',
      );
}

function failure(status: number): QstackError {
  switch (status) {
    case REDIS_STATUS_LOST:
      return new QstackError(
        'QST_ERR_REDIS_LOST',
        'the connection to Redis broke; the command may have been carried out',
      );
    case REDIS_STATUS_TIMEOUT:
      return new QstackError('QST_ERR_REDIS_TIMEOUT', 'Redis did not answer in time');
    case REDIS_STATUS_REFUSED:
      return new QstackError('QST_ERR_REDIS_REFUSED', 'the command is too long, or too many long ones are under way');
    default:
      return new QstackError('QST_ERR_REDIS_REPLY', 'the reply is longer than 512 KiB, or too many long ones are held');
  }
}
