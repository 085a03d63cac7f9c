// A device of iotepserver in twenty lines: requests over a kernel socket, one at a time, and their replies.
// In: address, port, messages. Out: as JSON, how many replies were right, and the first that was not.
import { connect } from 'node:net';

const REPLY_BYTES = 146;
const [address = '', port = '', count = ''] = process.argv.slice(2);
const socket = connect({ host: address, port: Number(port), noDelay: true });
let right = 0;
let wrong: string | undefined;

function request(counter: number): Buffer {
  const message = Buffer.alloc(200);
  message.writeUInt32LE(counter, 0);
  message[5] = 1;
  return message;
}

socket.write(request(0));
for await (const reply of socket as AsyncIterable<Buffer>) {
  const isRight =
    reply.length === REPLY_BYTES && reply.toString('latin1', 126, 134) === right.toString(16).padStart(8, '0');
  if (!isRight || !reply.toString('latin1').includes(' 200 OK\r\n')) wrong ??= reply.toString('latin1');
  right += 1;
  if (wrong !== undefined || right === Number(count)) break;
  socket.write(request(right));
}
process.stdout.write(JSON.stringify({ right, wrong }));
