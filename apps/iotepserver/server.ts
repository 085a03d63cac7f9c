// iotepserver: an IoT gateway. The program that app threads import.
// In: messages of 6 bytes and more, a segment each. Out: for every message `SET s:{ip:port} <bytes 0..9> GET` and
// `GET c:<class>` to Redis, in one turn; then a reply with the message's counter, to requests only or to all.
// A message's level decides its place before Redis and behind it. Messages of one device at different levels have no order.
import type { Coroutine } from '../../coroutine/index.js';
import type { App } from '../../stack/app.js';
import { iotRules } from '../../stack/classifier.js';
import type { StackSettings } from '../../stack/config/settings.js';
import { segment } from '../../stack/framing.js';
import { type MessageInbox, pooled } from '../../stack/handler.js';
import type { Message } from '../../stack/message.js';
import { serve } from '../../stack/serve.js';
import { makeRedisWork } from './redis-work.js';
import { stampClock } from './stamp-clock.js';
import { Tally } from './tally.js';
import { CLASS_AT, MESSAGE_MIN, makeReplies } from './wire.js';

export const LEVELS = ['high', 'low'] as const;
type Level = (typeof LEVELS)[number];

const isRequest = (message: Message<Level>) => message.u8(CLASS_AT) === 1;

function gateway(app: App<Level>, settings: StackSettings) {
  const replies = makeReplies(settings.reply);
  const tally = new Tally(app.levels);
  const work = makeRedisWork(app);
  const sinceUs = stampClock(app);
  const answersAll = settings.answer === 'all';
  app.onReport(() => ({ tally: tally.report(app.redis().stats().servers) }));

  const finish = (message: Message<Level>, bytes: Uint8Array) => {
    if ((answersAll || isRequest(message)) && message.reply(bytes)) tally.replied(message.levelIndex);
  };

  // One coroutine for many messages, without a generator or a closure for each.
  return function* serveAll(inbox: MessageInbox<Level>): Coroutine<void> {
    for (;;) {
      const message = yield* inbox.next();
      if (message.length < MESSAGE_MIN) {
        tally.malformed++;
        continue;
      }
      const counter = message.u32le(0);
      let reply = replies.done;
      try {
        yield* work(message);
        tally.served(message.levelIndex, sinceUs(message.rxStamp));
      } catch (error) {
        reply = replies.unavailable;
        tally.failed(message.levelIndex, error);
      }
      finish(message, reply.with(counter));
    }
  };
}

export default serve({
  levels: LEVELS,
  otherwise: 'low',
  classify: iotRules('high'),
  setup(app) {
    const settings = app.settings as unknown as StackSettings;
    const { port, framing = segment, order = 'level' } = settings;
    app.listen({ port, framing, order }, pooled(gateway(app, settings)));
  },
});
