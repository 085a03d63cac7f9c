// Kernel peers over tap: see kernel-peers.ts; and what is our own there, the queue of native/port/tap_queue.hh.
// Needs root for a namespace of its own.
// watchdog: 240s
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EchoServer, HTTP_PORT } from './echo-server.js';
import { kernelPeers, type PeerContext, sha256 } from './kernel-peers.js';
import { Namespace, OURS } from './namespace.js';
import { interop } from './skip.js';

const peers = suite<PeerContext>('kernel peers over tap');
await interop(peers, (tests) => kernelPeers(tests, 'tap'));
peers.run();

const SIZE = 10_000_000;

interface QueueContext {
  namespace: Namespace;
  folder: string;
}

const queue = suite<QueueContext>('the queue of a tap');
await interop(queue, (tests) => {
  tests.before((context) => {
    context.namespace = Namespace.make();
    context.folder = mkdtempSync(join(tmpdir(), 'qstack-tap-'));
    writeFileSync(join(context.folder, 'file.bin'), randomBytes(SIZE));
  });
  tests.after(async ({ namespace, folder }) => {
    await namespace.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  tests(
    'it has NAPI: a thread of the kernel polls it where it is asked to, and every byte arrives',
    async (context) => {
      const { namespace, folder } = context;
      const link = namespace.link('tap');
      const server = await EchoServer.start(namespace, link, { root: folder, flags: [] });
      const threaded = `/sys/class/net/${link.kernelEnd}/threaded`;
      // Refused where no queue of the device has NAPI, as with the driver's own.
      namespace.run('sh', '-c', `echo 1 > ${threaded}`);
      assert.is(namespace.run('cat', threaded).trim(), '1');
      const copy = join(folder, 'copy.bin');
      namespace.run('curl', '-sS', '--max-time', '60', '-o', copy, `http://${OURS}:${HTTP_PORT}/file.bin`);
      assert.is(sha256(readFileSync(copy)), sha256(readFileSync(join(folder, 'file.bin'))));
      assert.is(await server.program.stop(), 0, server.program.err);
    },
  );
});
queue.run();
