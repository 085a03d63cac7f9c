// App: what setup() gets in every app thread: listeners, connections, columns, Redis.
// In: the calls of user code. Out: the core's parts, put to use. Invariant: nothing here stands on the packet's line.
import type { Coroutine, Op } from '../coroutine/op.js';
import { withSignal } from '../coroutine/signal.js';
import { type Child, spawn } from '../coroutine/spawn.js';
import type { AnyHandler } from '../coroutine/task.js';
import type { AppCore, AppCounts } from './app-core.js';
import { Column } from './column.js';
import { type IpAddress, parseIp } from './config/address.js';
import type { StackSettings } from './config/settings.js';
import { Connection } from './connection.js';
import type { ColumnType, ConnectionRef } from './connection-table.js';
import { ConnectOp } from './connector.js';
import { QstackError } from './errors.js';
import type { Framing } from './framing.js';
import type { ConnectionOptions, ConnectOptions, Handler, ListenOptions, PooledHandler } from './handler.js';
import { Listener, type ListenerControl } from './listener.js';
import { ListenerState } from './listener-state.js';
import type { FramingName, ListenOptions as NativeListenOptions } from './native.js';
import type { Offload, OffloadPool } from './offload.js';
import type { RedisClient } from './redis.js';
import { type OptionWords, optionsWords } from './socket-options.js';

/** What an app is given besides its core. */
export interface AppServices {
  control: ListenerControl;
  makeRedis(): RedisClient;
  makeWorkers(): OffloadPool;
  /** The configuration under which the stack runs, as far as user code may see it. */
  settings: Readonly<Record<string, unknown>>;
}

/** 0: any. */
function address(text: string | undefined): IpAddress {
  if (text === undefined) return 0;
  const parsed = parseIp(text);
  if (parsed !== undefined) return parsed === '::' ? 0 : parsed;
  throw new QstackError('QST_ERR_INVALID_ARGUMENT', `"${text}" is no address like 10.0.0.1 or fd00::1`);
}

function checkPort(port: number, min: number): number {
  if (Number.isInteger(port) && port >= min && port <= 65_535) return port;
  throw new QstackError('QST_ERR_INVALID_ARGUMENT', `port ${port}; accepted is ${min} to 65535`);
}

/** What a framing needs to be told beside its name. */
function framingDetails(framing: Framing): Pick<NativeListenOptions, 'fixedLength' | 'prefix'> {
  if (framing.kind === 'fixed') return { fixedLength: framing.length };
  if (framing.kind !== 'lengthPrefix') return {};
  const { offset, width, order, adjust, maximum } = framing;
  return { prefix: [offset, width, order === 'le' ? 1 : 0, adjust, maximum] };
}

function nativeOptions<L extends string>(
  { framing, unordered }: ListenerState<L>,
  at: IpAddress,
  port: number,
  options: OptionWords,
): NativeListenOptions {
  const kind = framing.kind satisfies FramingName;
  return { address: at, port, framing: kind, options, unordered, ...framingDetails(framing) };
}

function socketWords<L extends string>({ nagle, socket }: ConnectionOptions<L>): OptionWords {
  return optionsWords({ ...(nagle === undefined ? {} : { noDelay: !nagle }), ...socket });
}

export class App<L extends string = string> {
  /** Number of this app thread. */
  readonly index: number;
  /** Highest first. */
  readonly levels: readonly L[];
  readonly settings: Readonly<Record<string, unknown>>;
  /** The machinery below: for rooms of this package, not for programs. */
  readonly core: AppCore<L>;
  private readonly services: AppServices;
  private readonly control: ListenerControl;
  private redisClient: RedisClient | null = null;
  private workers: OffloadPool | null = null;
  private readonly framings = new Map<string, number>();
  private readonly starts: AnyHandler[] = [];
  private readonly stops: (() => void | Promise<void>)[] = [];
  private readonly reports: (() => object)[] = [];

  constructor(core: AppCore<L>, services: AppServices) {
    this.core = core;
    this.index = core.app;
    this.levels = core.levelNames;
    this.services = services;
    this.settings = services.settings;
    this.control = services.control;
  }

  /** With app threads, in setup() only. Without a handler messages wait for the connection's reader. */
  listen(options: ListenOptions<L>, handler?: Handler<L> | PooledHandler<L>): Listener {
    const state = new ListenerState<L>({ ...this.preset(), ...options }, handler);
    const listener = new Listener(this.control, checkPort(options.port, 1));
    const at = address(options.address);
    const native = nativeOptions(state, at, options.port, socketWords(options));
    this.control.listen(native, (number) => {
      this.core.addListener(number, state);
      listener.found(number);
    });
    return listener;
  }

  /** An active open. Without a handler messages wait for receive() or the iterator of the connection. */
  connect(options: ConnectOptions<L>, handler?: Handler<L> | PooledHandler<L>): Op<Connection<L>> {
    const state = new ListenerState<L>(options, handler);
    this.core.prepare(state);
    const target = {
      address: address(options.address),
      port: checkPort(options.port, 1),
      localPort: checkPort(options.localPort ?? 0, 0),
      framing: this.framing(nativeOptions(state, 0, 0, socketWords(options))),
    };
    return withSignal(options.signal, new ConnectOp<L>(this.core.connector, target, state));
  }

  /** What the configuration says of listeners, where the program does not. */
  private preset(): Partial<ConnectionOptions<L>> {
    const { framing, order, unordered } = this.settings as Partial<StackSettings>;
    return {
      ...(framing === undefined ? {} : { framing }),
      ...(order === undefined ? {} : { order }),
      ...(unordered === undefined ? {} : { unordered }),
    };
  }

  private framing(options: NativeListenOptions): number {
    const { framing, fixedLength = 0, prefix = [], unordered } = options;
    const key = `${framing} ${fixedLength} ${prefix} ${unordered} ${options.options}`;
    let number = this.framings.get(key);
    if (number === undefined) {
      number = this.control.framing(options);
      this.framings.set(key, number);
    }
    return number;
  }

  /** A number per connection, zero when it opens: a typed array, no objects. The same name gives the same column. */
  column(name: string, type: ColumnType): Column {
    const { table } = this.core;
    return new Column(table, table.column(name, type));
  }

  /** The connection, while it is open. */
  connection(ref: ConnectionRef): Connection<L> | undefined {
    const { table } = this.core;
    const slot = table.slotOf(ref);
    return slot < 0 ? undefined : new Connection<L>(this.core, slot, table.generation(slot));
  }

  /** The Redis of the configuration: one client per app thread, a pipeline per server and level. */
  redis(): RedisClient {
    this.redisClient ??= this.services.makeRedis();
    return this.redisClient;
  }

  /** The tasks of a module, for the workers of this app thread: `yield* offload('digest', bytes)`. */
  offload<M>(module: URL | string): Offload<M> {
    this.workers ??= this.services.makeWorkers();
    return this.workers.tasksOf<M>(module);
  }

  /** spawn() with the name of a level. */
  spawn<T>(body: () => Coroutine<T>, options: { level?: L } = {}): Child<T> {
    return spawn(body, { level: options.level === undefined ? undefined : this.core.levelOf(options.level) });
  }

  /** Called once when the stack is on the air: the place for active opens. May be a generator or async. */
  onStart(start: () => void | Coroutine<void> | Promise<void>): void {
    this.starts.push(start);
  }

  started(): void {
    for (const start of this.starts.splice(0)) this.core.call(start, undefined, 'onStart');
  }

  /** Called once when the stack goes down, before connections are closed. */
  onStop(stop: () => void | Promise<void>): void {
    this.stops.push(stop);
  }

  /** Adds to what counts() says; called once per request for counts, off the packet's line. */
  onReport(report: () => object): void {
    this.reports.push(report);
  }

  counts(): AppCounts & { user: Record<string, unknown> } {
    return { ...this.core.counts(), user: this.reported() };
  }

  /** What the program's onReport() functions say. */
  reported(): Record<string, unknown> {
    return Object.assign({}, ...this.reports.map((report) => report()));
  }

  async stop(): Promise<void> {
    for (const stop of this.stops.splice(0)) await stop();
  }
}
