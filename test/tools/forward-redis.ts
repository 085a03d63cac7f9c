// A server on our stack with a real Redis behind it, for the test of `qstack forward`: what comes on port 6379 goes to the unix
// socket that REDIS_SOCKET names, and back.
import { createConnection } from 'node:net';
import { stream } from '../../stack/framing.js';
import { serve } from '../../stack/serve.js';
import { bridge } from '../../tools/forward/bridge.js';

export default serve({
  levels: ['normal'],
  setup(app) {
    app.listen({
      port: 6379,
      framing: stream,
      halfOpen: true,
      onConnect: async (connection) => {
        const socket = createConnection({ path: process.env.REDIS_SOCKET ?? '', allowHalfOpen: true });
        await bridge(socket, connection, { toServer: 0, fromServer: 0 }).catch(() => {});
      },
    });
  },
});
