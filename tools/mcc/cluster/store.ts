// Store: the cluster's keys in one Redis. In: `redis://[user:password@]host[:port][/key]`. Out: streams that are read by groups,
// heartbeats, and Redis' time. Invariant: every key expires by itself once nobody renews it; a connection that breaks comes back.
import { Redis } from 'ioredis';

/** How long a key outlives whoever renews it. */
export const PRESENCE_S = 5;
const STREAM_S = 60;
/** Reports and commands are read at once; more than that is a reader that is gone. */
const STREAM_MAX = 10_000;
const RETRY_MS = 250;
const DEFAULT_KEY = 'mcc';
const DEFAULT_PORT = 6379;

export interface Place {
  readonly url: URL;
  readonly key: string;
}

export interface Entry {
  readonly id: string;
  readonly text: string;
}

/** The place, or the sentence that says what is wrong. */
export function parsePlace(text: string): Place | string {
  if (!URL.canParse(text)) return `"${text}" is no address like redis://10.0.0.5:6379/test`;
  const url = new URL(text);
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    return `"${text}" begins with neither redis:// nor rediss://`;
  if (url.hostname === '') return `"${text}" names no host`;
  const key = decodeURIComponent(url.pathname.slice(1)) || DEFAULT_KEY;
  if (!/^[\w.:-]{1,100}$/.test(key)) return `the key "${key}" has other characters than letters, digits and ._:-`;
  return { url, key };
}

function connect({ url }: Place, again: () => boolean): Redis {
  const redis = new Redis({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || DEFAULT_PORT),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: () => (again() ? RETRY_MS : null),
  });
  // Each is told by the call that fails, or mended by the next connection.
  redis.on('error', () => {});
  return redis;
}

type Raw = [string, [string, string[] | null][]][] | null;

export class Store {
  private isOpen = false;
  private readonly redis: Redis;
  /** For calls that wait, which would hold up the others. */
  private readonly reader: Redis;

  constructor(private readonly place: Place) {
    this.redis = connect(place, () => this.isOpen);
    this.reader = connect(place, () => this.isOpen);
  }

  key(...parts: string[]): string {
    return [this.place.key, ...parts].join(':');
  }

  get where(): string {
    return `${this.place.url.host}/${this.place.key}`;
  }

  async open(): Promise<void> {
    try {
      await Promise.all([this.redis.connect(), this.reader.connect()]);
      this.isOpen = true;
    } catch (error) {
      this.close();
      throw new Error(`no Redis answers at ${this.place.url.host} (${(error as Error).message}); is it running there?`);
    }
  }

  close(): void {
    this.isOpen = false;
    this.redis.disconnect();
    this.reader.disconnect();
  }

  /** Redis' clock, µs. */
  async timeUs(): Promise<number> {
    const [seconds, micros] = await this.redis.time();
    return Number(seconds) * 1e6 + Number(micros);
  }

  async makeStream(stream: string, group: string): Promise<void> {
    try {
      await this.redis.xgroup('CREATE', stream, group, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error as Error).message.startsWith('BUSYGROUP')) throw error;
    }
    await this.redis.expire(stream, STREAM_S);
  }

  async append(stream: string, text: string): Promise<void> {
    await this.redis.multi().xadd(stream, 'MAXLEN', '~', STREAM_MAX, '*', 'm', text).expire(stream, STREAM_S).exec();
  }

  /** What was handed out and never acknowledged comes first (`again`), then what is new, after at most `waitMs`. */
  async read(stream: string, group: string, waitMs: number, again: boolean): Promise<Entry[]> {
    const from = again ? '0' : '>';
    const raw = (await this.reader.xreadgroup(
      ...(['GROUP', group, 'one', 'COUNT', 64, 'BLOCK', waitMs, 'STREAMS', stream, from] as const),
    )) as Raw;
    return (raw?.[0]?.[1] ?? []).map(([id, fields]) => ({ id, text: fields?.[1] ?? '' }));
  }

  async acknowledge(stream: string, group: string, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.redis.xack(stream, group, ...ids);
  }

  async remove(...keys: string[]): Promise<void> {
    await this.redis.del(...keys);
  }

  /** True: nobody else has it. */
  async claim(name: string, value: string): Promise<boolean> {
    return (await this.redis.set(this.key(name), value, 'EX', PRESENCE_S, 'NX')) === 'OK';
  }

  /** Keeps what claim() got, under a value that may change. */
  async hold(name: string, value: string, ...streams: string[]): Promise<void> {
    const pipeline = this.redis.pipeline().set(this.key(name), value, 'EX', PRESENCE_S);
    for (const stream of streams) pipeline.expire(stream, STREAM_S);
    await pipeline.exec();
  }

  async holder(name: string): Promise<string | null> {
    return this.redis.get(this.key(name));
  }

  async beat(id: string, presence: string, atMs: number): Promise<void> {
    await this.redis
      .multi()
      .set(this.key('worker', id), presence, 'EX', PRESENCE_S)
      .zadd(this.key('workers'), atMs, id)
      .zremrangebyscore(this.key('workers'), 0, atMs - STREAM_S * 1_000)
      .expire(this.key('workers'), STREAM_S)
      .expire(this.key('commands', id), STREAM_S)
      .exec();
  }

  async leave(id: string): Promise<void> {
    await this.redis.multi().del(this.key('worker', id), this.key('commands', id)).zrem(this.key('workers'), id).exec();
  }

  /** Last heartbeat of each worker that is there, Redis' clock in ms. */
  async beats(): Promise<Map<string, number>> {
    const flat = await this.redis.zrange(this.key('workers'), '0', '-1', 'WITHSCORES');
    const beats = new Map<string, number>();
    for (let at = 0; at + 1 < flat.length; at += 2) beats.set(flat[at] ?? '', Number(flat[at + 1]));
    return beats;
  }

  async presences(): Promise<string[]> {
    const ids = [...(await this.beats()).keys()];
    if (ids.length === 0) return [];
    const texts = await this.redis.mget(...ids.map((id) => this.key('worker', id)));
    return texts.filter((text): text is string => text !== null);
  }
}
