// mcc and echo_server as two processes over memif: the command lines as a person types them, every reply matched.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const dist = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

interface Context {
  folder: string;
  socket: string;
  server: ChildProcess;
  said: string;
}

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function run(arguments_: readonly string[], onStart: (child: ChildProcess) => void = () => {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (bytes) => {
      out += bytes;
    });
    child.stderr.on('data', (bytes) => {
      err += bytes;
    });
    child.on('close', (code) => resolve({ code, out, err }));
    onStart(child);
  });
}

/** echo_server at a memif socket of its own. */
async function start(context: Context, ...flags: string[]): Promise<void> {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-mcc-'));
  context.socket = join(context.folder, 'memif', 'q.sock');
  const device = `memif:${context.socket}?server`;
  const line = [
    dist('apps/echo_server/main.js'),
    '--device',
    device,
    '--http-port',
    '0',
    '--max-concurrency',
    '1000',
    ...flags,
  ];
  context.server = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'pipe'] });
  context.said = '';
  await new Promise<void>((resolve, reject) => {
    context.server.stdout?.on('data', (bytes) => {
      context.said += bytes;
      if (context.said.includes('listening ')) resolve();
    });
    context.server.stderr?.on('data', (bytes) => {
      context.said += bytes;
    });
    context.server.on('close', () => reject(new Error(`echo_server ended: ${context.said}`)));
  });
}

function stop(context: Context): void {
  context.server.kill('SIGKILL');
  rmSync(context.folder, { recursive: true, force: true });
}

const mcc = suite<Context>('mcc over memif');
mcc.before((context) => start(context));
mcc.after(stop);

function line({ socket }: Context, text: string): string[] {
  return [dist('tools/mcc/main.js'), ...text.split(' '), '--port', '7', '--reply', 'echo', '--socket', socket];
}

mcc(
  'waves and a constant rate on the same connections: all answered, none mismatched, one JSON object',
  async (context) => {
    const text =
      '-c 300 -s 1 -w 0 -l 200 -r 0.1 --answer all --phases wave:100/200ms/1s,paced:2000/1s --seed 7 --json --quiet';
    const { code, out, err } = await run(line(context, text));
    assert.is(code, 0, err);
    assert.is(err, '');
    const report = JSON.parse(out);
    assert.is(report.connections, 300);
    assert.is(report.seed, 7);
    assert.is(report.mismatched, 0);
    assert.is(report.failed_sends, 0);
    assert.is(report.phases.length, 2);
    for (const [phase, offered] of [
      [report.phases[0], 500],
      [report.phases[1], 2_000],
    ]) {
      const [high, low] = phase.levels;
      assert.is(high.sent + low.sent, offered);
      assert.is(high.answered + low.answered, offered);
      assert.is(high.lost + low.lost, 0);
      assert.ok(high.sent > 0 && high.sent < offered / 4);
      assert.ok(low.p50_us > 0 && low.p50_us <= low.p99_us && low.p99_us <= low.max_us);
      assert.is(phase.mismatched, 0);
    }
  },
);

mcc('--levels: each level has its name and its share of the messages in the results', async (context) => {
  const text = '-c 200 -s 1 -w 0 -p 2 --levels alarm=0.1,normal=40%,bulk --answer all --rate 2k/s -d 1s --json --quiet';
  const { code, out, err } = await run(line(context, text));
  assert.is(code, 0, err);
  const levels: { name: string; sent: number; answered: number }[] = JSON.parse(out).levels;
  assert.equal(
    levels.map(({ name }) => name),
    ['alarm', 'normal', 'bulk'],
  );
  for (const [index, share] of [0.1, 0.4, 0.5].entries()) {
    const { sent = 0, answered } = levels[index] ?? {};
    assert.is(answered, sent);
    assert.ok(Math.abs(sent / 2_000 - share) < 0.05, `${levels[index]?.name}: ${sent}`);
  }
});

mcc('^C ends the run, and the table follows', async (context) => {
  const { code, out, err } = await run(line(context, '-c 20 -s 1 -w 0 --rate 100 -d 60'), (child) => {
    child.stderr?.on('data', function onData(bytes: Buffer) {
      if (!bytes.toString().includes('running')) return;
      child.stderr?.off('data', onData);
      setTimeout(() => child.kill('SIGINT'), 300);
    });
  });
  assert.is(code, 0, err);
  assert.match(out, /high .*│ +\d/);
  assert.match(out, /mismatched 0/);
});

mcc('faults of the command line are named at once, with exit 2', async () => {
  const { code, err } = await run([dist('tools/mcc/main.js'), '-c', '0', '--network-stack', 'kernel']);
  assert.is(code, 2);
  assert.match(err, /-c: "0" is not accepted/);
  assert.match(err, /kernel sockets are not available yet/);
});

mcc('the server survives its clients, and ends in order', async (context) => {
  const ended = new Promise<number | null>((resolve) =>
    context.server.removeAllListeners('close').on('close', resolve),
  );
  context.server.kill('SIGTERM');
  assert.is(await ended, 0, context.said);
  assert.match(context.said, /520 connections were opened/);
});

mcc.run();

const tagged = suite<Context>('mcc in a VLAN');
tagged.before((context) => start(context, '--vlan', '5', '--mtu', '1000'));
tagged.after(stop);

tagged('with the same --vlan every message is answered, over a link with the MTU of the server', async (context) => {
  const { code, out, err } = await run(
    line(context, '--vlan 5 -c 20 -s 1 -w 0 -l 900 --rate 200/s -d 1s --json --quiet'),
  );
  assert.is(code, 0, err);
  const report = JSON.parse(out);
  assert.is(report.connections, 20);
  assert.is(report.mismatched, 0);
  const [high, low] = report.phases[0].levels;
  assert.is(high.answered + low.answered, 200);
});

tagged('without it nobody is heard', async (context) => {
  const { code } = await run(line(context, '-c 1 -s 1 -w 0 --connect-limit 1s --rate 10/s -d 1s --quiet'));
  assert.is(code, 1);
});

tagged.run();
