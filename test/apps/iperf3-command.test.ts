// `qstack iperf3` at both ends of a memif, by its flags; test/interop has Debian's at the other end.
// watchdog: 120s
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Program } from './program.js';

interface Context {
  folder: string;
  programs: Program[];
}

interface Json {
  start: { test_start: Record<string, number> };
  intervals: { sum: { omitted: boolean; seconds: number } }[];
  end: { sum_sent: { bytes: number }; sum_received: { bytes: number } };
}

const iperf3 = suite<Context>('qstack iperf3');
iperf3.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-iperf3-'));
  context.programs = [];
});
iperf3.after.each(async ({ folder, programs }) => {
  await Promise.all(programs.map((program) => program.stop('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

function start({ folder, programs }: Context, role: 'server' | 'client', ...flags: string[]): Program {
  const host = role === 'server' ? '10.0.0.1/16' : '10.0.0.2/16';
  const place = ['--device', `memif:${join(folder, 'm', 'q.sock')}?${role}`, '--host-ip', host, '--log-level', 'warn'];
  const program = new Program('tools/qstack/main.js', ['iperf3', ...place, ...flags]);
  programs.push(program);
  return program;
}

/** One test, after which a server with --one-off ends by itself. */
async function measured(context: Context, server: readonly string[], client: readonly string[]): Promise<Json> {
  const serving = start(context, 'server', ...server);
  await serving.said('Server listening on');
  const asking = start(context, 'client', ...client);
  assert.is(await asking.ended, 0, asking.err);
  assert.is(await serving.ended, 0, serving.err);
  return JSON.parse(asking.out) as Json;
}

iperf3('-R -P -t -l -O -i -J: the server sends on several streams, and what was asked for is told', async (context) => {
  const flags = ['-R', '-P', '2', '-t', '1', '-l', '4K', '-O', '0.5', '-i', '0.5', '-J'];
  const { start, intervals, end } = await measured(context, ['-s', '-1'], ['-c', '10.0.0.1', ...flags]);
  const { num_streams, reverse, blksize, omit, duration } = start.test_start;
  assert.equal([num_streams, reverse, blksize, omit, duration], [2, 1, 4_096, 0.5, 1]);
  assert.ok(intervals.some(({ sum }) => sum.omitted) && intervals.some(({ sum }) => !sum.omitted));
  assert.ok(end.sum_sent.bytes > 0 && end.sum_received.bytes > 0);
});

iperf3('the long forms, another port, and so many bytes instead of a time', async (context) => {
  const server = ['--server', '--one-off', '--port', '5999'];
  const flags = ['--client', '10.0.0.1', '--port', '5999', '--bytes', '1M', '--parallel', '1', '--interval', '0'];
  const { end } = await measured(context, server, [...flags, '--length', '64K', '--json']);
  assert.equal([end.sum_sent.bytes, end.sum_received.bytes], [2 ** 20, 2 ** 20]);
});

iperf3('what cannot be is refused with what is accepted', async (context) => {
  const refusal = async (...flags: string[]) => {
    const program = start(context, 'client', ...flags);
    assert.is(await program.ended, 2, program.err);
    return program.err;
  };
  assert.match(await refusal(), /one of -s and -c <address> is needed/);
  assert.match(await refusal('-c', '10.0.0.1', '--parallel', '0'), /'-P, --parallel <n>'.*1 to 128/);
  assert.match(await refusal('-c', '10.0.0.1', '--time', '0'), /'-t, --time <seconds>'.*0.1 s to 24 h/);
  assert.match(await refusal('-c', '10.0.0.1', '--omit', 'x'), /'-O, --omit <seconds>'.*0 to 600 s/);
  assert.match(await refusal('-c', '10.0.0.1', '--length', '2M'), /'-l, --length <size>'.*1 byte to 1 MiB/);
});

iperf3.run();
