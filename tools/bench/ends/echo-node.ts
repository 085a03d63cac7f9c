// The echo server as one writes it on node:net, for comparison: 64 bytes for every 200 that have come.
// In: a port, or `fd3`: a socket that listens already. Out: "ready".
import { createServer } from 'node:net';

const REQUEST = 200;
const reply = Buffer.alloc(64, 'r');
const [where = '0'] = process.argv.slice(2);
const place = where.startsWith('fd') ? { fd: Number(where.slice(2)) } : { port: Number(where) };

const server = createServer({ noDelay: true }, (socket) => {
  let filled = 0;
  socket.on('data', (bytes) => {
    filled += bytes.length;
    for (; filled >= REQUEST; filled -= REQUEST) socket.write(reply);
  });
  socket.on('error', () => socket.destroy());
});
server.listen(place, 4_096, () => process.stdout.write('ready\n'));
