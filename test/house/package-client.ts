// The other end for the test of the package: an inline stack on the client's side of the memif socket.
import { type App, inline, segment, serve } from '../../index.js';

const nothing = serve({ levels: ['only'], setup() {} });

/** 64 bytes as the README's example takes them: their length first, a number at 4, a key at 8. */
function message(sequence: number, key: number): Uint8Array {
  const bytes = new Uint8Array(64).fill(0x20);
  bytes.set([0, bytes.length, 1]);
  new DataView(bytes.buffer).setUint32(4, sequence);
  bytes.set(Buffer.from(`key-000${key}`), 8);
  return bytes;
}

const TRIES = 5;

/** The example gives Redis 50 ms, which a machine that runs other things may miss: its connection is then reset. */
export async function exchange(device: string, port: number): Promise<Uint8Array[]> {
  await using client = await inline(nothing, { device, host_ip: '10.0.0.2/16', max_concurrency: 100 });
  for (let tries = 1; ; tries += 1) {
    try {
      return await twoReplies(client.app, port, tries);
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

/** Sends two messages, one after the other's reply. Out: the replies. */
async function twoReplies(app: App<'only'>, port: number, key: number): Promise<Uint8Array[]> {
  const connection = await app.connect({ address: '10.0.0.1', port, framing: segment });
  const replies: Uint8Array[] = [];
  for (const sequence of [1, 2]) {
    connection.send(message(sequence, key));
    const reply = await connection.receive();
    if (reply !== null) replies.push(reply.copy());
  }
  connection.close();
  return replies;
}
