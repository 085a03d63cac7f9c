// A kernel server that sends back what it gets. In: a port. Out: the line `listening`, and the bytes, until it is ended.
import { createServer } from 'node:net';

const [port = ''] = process.argv.slice(2);
const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.pipe(socket);
  socket.on('error', (error) => process.stderr.write(`${error.message}\n`));
});
server.listen(Number(port), () => process.stdout.write('listening\n'));
