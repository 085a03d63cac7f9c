// A client of an echo server on our own stack: one active open, and bytes both ways. In: address, port and bytes, in the
// module's own address. Out: in the report of the app, the digests of what was sent and what came back, or the fault.
import { createCipheriv, createHash, type Hash, randomBytes } from 'node:crypto';
import type { Connection } from '../../../stack/connection.js';
import { stream } from '../../../stack/framing.js';
import { serve } from '../../../stack/serve.js';

const PIECE = 64 * 1024;
const { searchParams } = new URL(import.meta.url);
const address = searchParams.get('address') ?? '';
const port = Number(searchParams.get('port'));
const total = Number(searchParams.get('bytes'));

export interface ClientReport {
  sent?: string;
  received?: string;
  bytes: number;
  seconds: number;
  fault?: string;
}

async function send(connection: Connection, hash: Hash): Promise<void> {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(PIECE);
  for (let left = total; left > 0; ) {
    const piece = cipher.update(zeros.subarray(0, Math.min(PIECE, left)));
    left -= piece.length;
    hash.update(piece);
    if (!connection.send(piece)) throw new Error(`gone with ${left} bytes to send`);
    await connection.drain();
  }
  connection.end();
}

async function echo(connection: Connection, report: ClientReport): Promise<void> {
  const startMs = performance.now();
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  const sending = send(connection, sent);
  for await (const message of connection) {
    received.update(message.copy());
    report.bytes += message.length;
  }
  await sending;
  report.seconds = (performance.now() - startMs) / 1000;
  report.sent = sent.digest('hex');
  report.received = received.digest('hex');
}

export default serve({
  levels: ['normal'],
  setup(app) {
    const report: ClientReport = { bytes: 0, seconds: 0 };
    app.onReport(() => ({ report }));
    app.onStart(async () => {
      try {
        await echo(await app.connect({ address, port, framing: stream }), report);
      } catch (error) {
        report.fault = (error as Error).message;
      }
    });
  },
});
