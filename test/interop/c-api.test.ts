// A C program on a tap device, and the kernel as its peer: connections, their bytes, and its end.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EchoResult } from './kernel-peers.js';
import { Namespace, OURS, PREFIX_LENGTH } from './namespace.js';
import { interop } from './skip.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILT = join(ROOT, 'build/release/native/capi');
const PORT = '7';

interface Context {
  namespace: Namespace;
  folder: string;
  server: ChildProcess;
  out: string;
}

function build(folder: string): string {
  const program = join(folder, 'server');
  const source = join(ROOT, 'native/capi/examples/server.c');
  const flags = ['-std=c99', '-Wall', '-Wextra', '-Werror', '-I', join(ROOT, 'native/capi')];
  const link = ['-L', BUILT, '-lqstack', `-Wl,-rpath,${BUILT}`];
  const { status, stderr } = spawnSync('cc', [...flags, source, ...link, '-o', program], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  return program;
}

async function said(server: ChildProcess, text: string, context: Context): Promise<void> {
  while (!context.out.includes(text)) {
    assert.is(server.exitCode, null, `ended before it said "${text}": ${context.out}`);
    await once(server.stdout as NodeJS.ReadableStream, 'data');
  }
}

const program = suite<Context>('a C program on a tap device');

await interop(program, (tests) => {
  tests.before(async (context) => {
    context.folder = mkdtempSync(join(tmpdir(), 'qstack-c-api-'));
    context.namespace = Namespace.make();
    const link = context.namespace.link('tap');
    const command = [build(context.folder), link.device, `${OURS}/${PREFIX_LENGTH}`, PORT];
    context.server = spawn('ip', ['netns', 'exec', context.namespace.name, ...command]);
    context.out = '';
    for (const stream of [context.server.stdout, context.server.stderr]) {
      stream?.on('data', (bytes) => {
        context.out += bytes;
      });
    }
    await said(context.server, 'listening', context);
    context.namespace.giveAddress(link);
  });
  tests.after(async ({ namespace, folder, server }) => {
    server?.kill('SIGKILL');
    await namespace?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  tests('the kernel gets 10 MB back byte for byte, on each of two connections', async ({ namespace }) => {
    for (let i = 0; i < 2; i += 1) {
      const peer = ['test/interop/peers/echo-client.js', OURS, PORT, '10000000'] as const;
      const { sent, received, bytes } = await namespace.result<EchoResult>(...peer);
      assert.is(bytes, 10_000_000);
      assert.is(received, sent);
    }
  });

  tests('a port on which nothing listens refuses', ({ namespace }) => {
    assert.is(namespace.try('curl', '-sS', '--max-time', '5', `http://${OURS}:81/`).status, 7);
  });

  tests('a signal ends the call that waits, and the program in order', async (context) => {
    context.server.kill('SIGTERM');
    await once(context.server, 'exit');
    assert.is(context.server.exitCode, 0, context.out);
    assert.match(context.out, /echoed 20000000 bytes\n$/);
  });
});

program.run();
