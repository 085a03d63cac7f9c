// Two inline stacks joined by a wire in memory: the whole line, from send() over TCP to the handler and back.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fixed, type Message, pooled, segment, serve, stream } from '../../index.js';
import { QstackError } from '../../stack/errors.js';
import { CLIENT_ADDRESS, pair, SERVER_ADDRESS } from '../../stack/testing.js';

const at = (port: number) => ({ address: SERVER_ADDRESS, port });

test('a message is echoed', async () => {
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7 }, (message) => message.reply(message));
    },
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  assert.equal(connection.remote, { address: SERVER_ADDRESS, port: 7 });
  connection.send('hello');
  const reply = await connection.receive();
  assert.is(reply?.utf8(), 'hello');
});

test.run();
