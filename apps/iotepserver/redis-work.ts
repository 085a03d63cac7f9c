// What every message asks of Redis: its device's last bytes are exchanged, its class is looked up. One write of two commands,
// both replies awaited together; the keys are made natively from the peer's address, so no string is made here.
//   SET s:{10.0.1.7:40123} <bytes 0..9> GET      the device's state; the braces keep a device's keys on one server
//   GET c:7                                      the class, by the last byte of the client's address: 256 hot keys
import { all, type Op } from '../../coroutine/index.js';
import type { App } from '../../stack/app.js';
import type { Message } from '../../stack/message.js';
import { classKey, STORED_BYTES } from './wire.js';

export function makeRedisWork<L extends string>(app: App<L>): (message: Message<L>) => Op<unknown> {
  const redis = app.redis();
  const exchange = redis.prepare('SET', ['s:{', redis.peer, '}'], redis.bytes, 'GET');
  const lookUp = redis.prepare('GET', ['c:', redis.number]);
  return (message) => {
    const state = message.slice(0, Math.min(STORED_BYTES, message.length));
    return all(exchange(message, state), lookUp(classKey(message)));
  };
}
