// `hugepages = 1`: DPDK's memory in reserved pages, with a kernel peer. Skipped with the reason where none can be reserved.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EchoServer, HTTP_PORT } from './echo-server.js';
import { hugepagesOf, memoryField, type Reservation, reserveHugepages } from './hugepages.js';
import { sha256 } from './kernel-peers.js';
import { Namespace, OURS } from './namespace.js';
import { interop } from './skip.js';

interface Context {
  namespace: Namespace;
  folder: string;
}

/** What EAL is started with (native/port/eal.hh). */
const EAL_MEBIBYTES = 64;
const BYTES = 10_000_000;
const hugepages = suite<Context>('hugepages');

function withHugepages(tests: typeof hugepages, reservation: Reservation): void {
  tests.after(() => reservation.giveBack());

  tests(
    'a server with `hugepages` holds them, serves a file byte for byte, and leaves none behind',
    async (context) => {
      const { namespace, folder } = context;
      const free = memoryField('HugePages_Free');
      const [file, copy] = [join(folder, 'file.bin'), join(folder, 'copy.bin')];
      writeFileSync(file, randomBytes(BYTES));
      const link = namespace.link('tap');
      const server = await EchoServer.start(namespace, link, { root: folder, flags: ['--hugepages', '1'] });
      assert.ok(hugepagesOf(server.program.child.pid as number) > 0, 'no hugepage is in use');
      namespace.run('curl', '-sS', '--max-time', '30', '-o', copy, `http://${OURS}:${HTTP_PORT}/file.bin`);
      assert.is(sha256(readFileSync(copy)), sha256(readFileSync(file)));
      assert.is(await server.program.stop(), 0, server.program.err);
      assert.is(memoryField('HugePages_Free'), free);
    },
  );
}

await interop(hugepages, (tests) => {
  tests.before.each((context) => {
    context.namespace = Namespace.make();
    context.folder = mkdtempSync(join(tmpdir(), 'qstack-interop-'));
  });
  tests.after.each(async ({ namespace, folder }) => {
    await namespace.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const reservation = reserveHugepages(EAL_MEBIBYTES);
  if (typeof reservation !== 'string') return withHugepages(tests, reservation);
  console.log(`skipped: ${reservation}`);
  tests.skip(`needs reserved hugepages: ${reservation}`, () => {});
});
hugepages.run();
