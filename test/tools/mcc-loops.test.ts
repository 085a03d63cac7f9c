// mcc's closed loops and echo_server as two processes over memif: echoes compared byte by byte, files over HTTP.
// A test is three programs at most; where the machine is busy each takes seconds to start (watchdog: 240s).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Program } from '../apps/program.js';

interface Context {
  folder: string;
  server: Program;
}

const loops = suite<Context>('closed loops of mcc over memif');

const socketOf = ({ folder }: Context) => join(folder, 'memif', 'q.sock');

loops.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-mcc-'));
  // More than one segment.
  writeFileSync(join(context.folder, 'page.txt'), 'a'.repeat(5_000));
  const device = `memif:${socketOf(context)}?server`;
  const flags = ['--device', device, '--max-concurrency', '1000', '--http-port', '80', '--root', context.folder];
  context.server = new Program('apps/echo_server/main.js', flags);
  await context.server.said('listening ');
});
loops.after(async ({ folder, server }) => {
  await server.stop('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** What it reports; `-d` bounds also those that end with their last connection. */
async function mcc(context: Context, text: string) {
  const flags = [...text.split(' '), '--socket', socketOf(context), '--json', '--quiet', '-w', '0'];
  const program = new Program('tools/mcc/main.js', flags);
  assert.is(await program.ended, 0, program.err);
  return JSON.parse(program.out);
}

loops('echo: lasting connections, each reply compared', async (context) => {
  const { levels, connected, mismatched } = await mcc(context, '--mode echo -c 30 -l 200 -d 500ms --port 7');
  assert.is(connected, 30);
  assert.is(levels.length, 1);
  assert.ok(levels[0].answered >= 30);
  assert.is(levels[0].lost + mismatched, 0);
});

loops('wan: connections come and go, and count as wholes', async (context) => {
  const line = '--mode wan -c 20 -n 2 --flows 100 --random-length -l 300 --port 7 -d 30s';
  const { levels, mismatched } = await mcc(context, line);
  assert.equal([levels[0].answered, levels[1].answered, mismatched], [200, 100, 0]);
});

loops('http: GET after GET on lasting connections, of replies that span segments', async (context) => {
  const { levels, mismatched, reconnects } = await mcc(context, '--mode http -c 10 --path /page.txt -d 300ms');
  assert.ok(levels[0].answered >= 10);
  assert.is(levels[0].errors + levels[0].lost + mismatched + reconnects, 0);
});

loops('http: a connection per request, so many in all', async (context) => {
  const report = await mcc(context, '--mode http -c 10 -n 1 --flows 50 --path /page.txt -d 30s');
  assert.equal(
    report.levels.map(({ answered }: { answered: number }) => answered),
    [50, 50],
  );
  assert.ok(report.connections_per_s > 0 && report.received_bytes_per_s > 5_000);
});

loops.run();
