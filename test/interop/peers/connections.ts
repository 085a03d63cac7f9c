// Many short kernel connections at a steady rate, to two servers in turn. In: address, echo port, HTTP port, rate, seconds.
// Out: as JSON, how many were opened and answered, and the first fault. On the echo port the client closes first, on the HTTP
// port the server does: both sides get their TIME-WAITs.
import { connect } from 'node:net';

const [address = '', ...numbers] = process.argv.slice(2);
const [echoPort = 0, httpPort = 0, rate = 0, seconds = 0] = numbers.map(Number);
const PERIOD_MS = 10;
const REQUEST = 'GET /small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const total = rate * seconds;
const startMs = performance.now();
let opened = 0;
let closed = 0;
let answered = 0;
let fault: string | undefined;

function open(): void {
  const http = opened % 2 === 1;
  const text = http ? REQUEST : `short connection ${opened}`;
  opened += 1;
  let reply = '';
  const socket = connect({ host: address, port: http ? httpPort : echoPort });
  socket.write(text);
  socket.on('data', (bytes) => {
    reply += bytes.toString('latin1');
    if (!http && reply.length >= text.length) socket.end();
  });
  socket.on('error', (error) => {
    fault ??= error.message;
  });
  socket.on('close', () => {
    const right = http ? /^HTTP\/1\.1 200 .*\r\n\r\nsmall\n$/s.test(reply) : reply === text;
    if (right) answered += 1;
    closed += 1;
    if (closed === total) finish();
  });
}

function finish(): void {
  const tookSeconds = (performance.now() - startMs) / 1000;
  process.stdout.write(JSON.stringify({ opened, answered, fault, seconds: tookSeconds }));
}

const timer = setInterval(() => {
  const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1000) * rate));
  while (opened < due) open();
  if (opened === total) clearInterval(timer);
}, PERIOD_MS);
