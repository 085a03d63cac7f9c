// Handlers that ask Redis for one key after the other, as many at a time as are wanted: on our native client, in the pooled
// form that iotepserver's handlers have, or as async functions on ioredis, in the same app thread.
// In, in the module's own address: client (native | ioredis), socket, underWay. Out, as the app's report: answers so far, and when
// that was. Every reply is looked at; a wrong one ends the thread.
import { performance } from 'node:perf_hooks';
import { Redis } from 'ioredis';
import { type Coroutine, Inbox } from '../../../coroutine/index.js';
import type { App } from '../../../stack/app.js';
import { serve } from '../../../stack/serve.js';
import { KEYS, keyOf, VALUE_BYTES } from '../redis-keys.js';

const query = new URL(import.meta.url).searchParams;
const underWay = Number(query.get('underWay'));
let answered = 0;
let asked = 0;

function check(length: number | undefined): void {
  if (length !== VALUE_BYTES) throw new Error(`a reply of ${length} bytes instead of ${VALUE_BYTES}`);
  answered++;
}

function askNatively(app: App<'normal'>): void {
  const redis = app.redis();
  const keys = Array.from({ length: KEYS }, (_, index) => new Uint8Array(Buffer.from(keyOf(index))));
  const inboxIdle = (inbox: Inbox<Uint8Array>) => {
    inbox.task?.releaseResources();
    inbox.deliver(keys[asked++ % KEYS] as Uint8Array, 0);
  };
  const { scheduler } = app.core;
  const owner = {
    taskDone: (_task: unknown, _failed: boolean, fault: unknown) => {
      queueMicrotask(() => {
        throw fault;
      });
    },
  };
  function* ask(inbox: Inbox<Uint8Array>): Coroutine<void> {
    for (;;) {
      const key = yield* inbox.next();
      const reply = yield* redis.get(key);
      check(reply?.byteLength);
    }
  }
  for (let i = 0; i < underWay; i++) {
    scheduler.task(0, owner).begin(ask as (argument: never) => unknown, new Inbox({ inboxIdle }) as never);
  }
}

function askByIoredis(app: App<'normal'>): void {
  const redis = new Redis(query.get('socket') ?? '', { enableAutoPipelining: true });
  const keys = Array.from({ length: KEYS }, (_, index) => keyOf(index));
  let isOver = false;
  const ask = async () => {
    while (!isOver) check((await redis.get(keys[asked++ % KEYS] as string))?.length);
  };
  const fail = (fault: unknown) => {
    if (!isOver) throw fault;
  };
  for (let i = 0; i < underWay; i++) ask().catch(fail);
  app.onStop(() => {
    isOver = true;
    redis.disconnect();
  });
}

export default serve({
  levels: ['normal'],
  setup(app) {
    app.onReport(() => ({ answered, atMs: performance.timeOrigin + performance.now() }));
    app.onStart(() => (query.get('client') === 'native' ? askNatively(app) : askByIoredis(app)));
  },
});
