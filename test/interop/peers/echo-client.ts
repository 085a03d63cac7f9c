// A kernel client of an echo server. In: address, port, bytes. Out: as JSON, the digests of what was sent and what came back.
// The bytes are the key stream of a cipher: random enough, and never all in memory.
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const PIECE = 64 * 1024;

const [address = '', port = '', total = ''] = process.argv.slice(2);
const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
const sent = createHash('sha256');
const received = createHash('sha256');
const zeros = Buffer.alloc(PIECE);
const startMs = performance.now();
let left = Number(total);
let back = 0;

const socket = connect({ host: address, port: Number(port) });

function write(): void {
  while (left > 0) {
    const piece = cipher.update(zeros.subarray(0, Math.min(PIECE, left)));
    left -= piece.length;
    sent.update(piece);
    if (!socket.write(piece)) return;
  }
  socket.end();
}

socket.on('connect', write);
socket.on('drain', write);
socket.on('data', (bytes) => {
  received.update(bytes);
  back += bytes.length;
});
socket.on('error', (error) => {
  process.stderr.write(`${error.message} after ${back} bytes\n`);
  process.exitCode = 1;
});
socket.on('close', () => {
  const seconds = (performance.now() - startMs) / 1000;
  process.stdout.write(
    JSON.stringify({ sent: sent.digest('hex'), received: received.digest('hex'), bytes: back, seconds }),
  );
});
