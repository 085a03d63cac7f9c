// mcc and echo_server as two processes over memif: the command lines as a person types them, every reply matched.
// watchdog: 240s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Context, dist, line, run, start, stop } from './echo-rig.js';

const mcc = suite<Context>('mcc over memif');
mcc.before((context) => start(context));
mcc.after(stop);

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
  assert.match(out, /^level +sent +answered +lost +errors +p50 .*\nhigh +\d+ +\d+ /m);
  assert.match(out, /mismatched 0/);
});

mcc('faults of the command line are named at once, with exit 2', async () => {
  const { code, err } = await run([dist('tools/mcc/main.js'), '-c', '0', '--network-stack', 'linux']);
  assert.is(code, 2);
  assert.match(err, /-c: "0" is not accepted/);
  assert.match(err, /--network-stack: "linux" is not accepted/);
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
