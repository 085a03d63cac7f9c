// The echo server as one writes it on node:net, for comparison: 64 bytes for every 200 that have come.
import { createServer } from 'node:net';

const REQUEST = 200;
const reply = Buffer.alloc(64, 'r');
const [port = '0'] = process.argv.slice(2);

const server = createServer({ noDelay: true }, (socket) => {
  let filled = 0;
  socket.on('data', (bytes) => {
    filled += bytes.length;
    for (; filled >= REQUEST; filled -= REQUEST) socket.write(reply);
  });
  socket.on('error', () => socket.destroy());
});
server.listen({ port: Number(port), backlog: 4_096 }, () => process.stdout.write('ready\n'));
