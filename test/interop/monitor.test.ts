// The monitor on an interface, beside a kernel web server.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report } from '../../tools/monitor/report.js';
import type { Program } from '../apps/program.js';
import { Namespace } from './namespace.js';
import { interop } from './skip.js';

const HTTP = `require('node:http').createServer((q, r) => setTimeout(() => r.end('x'), 5)).listen(8080, () => console.log('up'))`;
const DOWNLOADS = 20;
const monitor = suite('monitor on interfaces');

async function inNamespace(work: (namespace: Namespace) => Promise<void>): Promise<void> {
  const namespace = Namespace.make();
  try {
    await work(namespace);
  } finally {
    await namespace.remove();
  }
}

async function summary(program: Program): Promise<Report> {
  // ^C, as a person ends it: what was seen is reported.
  assert.is(await program.stop('SIGINT'), 0, program.err);
  return JSON.parse(program.out) as Report;
}

await interop(monitor, (tests) => {
  tests('--interface: each download of a kernel web server is one request and one response of at least its 5 ms', () =>
    inNamespace(async (namespace) => {
      const server = namespace.command(process.execPath, '-e', HTTP);
      await server.said('up');
      const flags = ['--interface', 'lo', '--port', '8080', '--framing', 'http', '--json'];
      const watching = namespace.program('tools/monitor/main.js', ...flags);
      await watching.said('watching lo');
      for (let i = 0; i < DOWNLOADS; i += 1) await namespace.say('curl', '-s', 'http://127.0.0.1:8080/');
      const { counts, levels, capture } = await summary(watching);
      assert.is(capture.missed + capture.dropped, 0);
      assert.is(counts.requests, DOWNLOADS);
      assert.is(levels[0]?.responses, DOWNLOADS);
      assert.is(counts.connections_seen, DOWNLOADS);
      assert.ok((levels[0]?.min_us ?? 0) >= 4_500, String(levels[0]?.min_us));
    }),
  );
});

monitor.run();
