// watchdog: 400s
// `qstack top` and `qstack ss` on a running iotepserver: by the control socket without a port, by the URL with its token, with
// filters; and what is said where there is nothing, or too much, to show.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConnectionFilter, passesEndpoints, passesState } from '../../stack/connection-filter.js';
import type { ConnectionsFound } from '../../stack/connection-list.js';
import type { Snapshot } from '../../stack/dashboard/snapshot.js';
import { ProgramClient } from '../../tools/qstack/program-client.js';
import { Program } from '../apps/program.js';
import { Served } from './served.js';

const tools = suite<{ served: Served; mcc: Program }>('top and ss');

tools.before(async (context) => {
  context.served = await Served.start(['--dashboard-token', 'only-for-this-test']);
  context.mcc = context.served.load('--rate 800 -d 600');
  await context.mcc.ranFor(2);
});
tools.after(({ served }) => served?.close());

async function qstack(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const program = new Program('tools/qstack/main.js', args);
  const code = await program.ended;
  return { code, out: program.out, err: program.err };
}

/** As the command asks, without a process of its own. */
async function listed(filter = '', limit = 500): Promise<ConnectionsFound> {
  const client = new ProgramClient({}, 'server');
  return client.get<ConnectionsFound>(`/api/connections?limit=${limit}&filter=${encodeURIComponent(filter)}`);
}

tools('ss lists connections with state, queues, RTT, cwnd and messages by level', async () => {
  const { code, out, err } = await qstack('ss', '-n', '5');
  assert.is(code, 0, err);
  const [head = '', ...lines] = out.trimEnd().split('\n');
  assert.match(
    head,
    /^State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port +rtt\/var ms +cwnd +retrans +Levels$/,
  );
  assert.is(lines.length, 5);
  for (const line of lines) assert.match(line, /^ESTABLISHED +\d+ +\d+ +10\.0\.0\.1:80 +10\.0\.1\.\d+:\d+ /);
  assert.match(err, /^there are more: these are the first 5; a filter, or -n, shows others$/m);
  const { lines: all, more } = await listed();
  assert.is(all.length, 200);
  assert.not(more);
  const sum = (level: string) => all.reduce((total, { levels }) => total + (levels[level] ?? 0), 0);
  assert.ok(sum('low') > 0 && sum('high') > 0, `${sum('low')} ${sum('high')}`);
  assert.ok(all.every(({ cwnd, mss }) => cwnd > 0 && mss > 0));
  assert.ok(all.some(({ rtt_us }) => rtt_us !== null && rtt_us > 0));
});

tools('filters are those of ss', async () => {
  const all = (await listed()).lines;
  const port = Number(all[0]?.remote.split(':').at(-1));
  const dport = (await listed(`dport = :${port}`)).lines;
  assert.ok(dport.length > 0 && dport.every(({ remote }) => remote.endsWith(`:${port}`)));
  assert.is((await listed('state established sport = :80 dst 10.0.0.0/16')).lines.length, 200);
  assert.is((await listed('not state established')).lines.length, 0);
  assert.is((await listed('dst 10.9.9.9')).lines.length, 0);
  const one = all[7]?.remote ?? '';
  const remotes = ({ lines }: ConnectionsFound) => lines.map(({ remote }) => remote);
  assert.equal(remotes(await listed(`dst ${one}`)), [one]);
  const json = JSON.parse((await qstack('ss', '--json', 'dst', one)).out) as ConnectionsFound;
  assert.equal(remotes(json), [one]);
});

tools('a filter that is not understood says what is accepted, and exits with 1', async () => {
  const wrong = ['state sleeping', 'sport = :x', 'colour red', 'dst nowhere', 'sport = :80 or dport = :1', 'not'];
  for (const filter of wrong) {
    assert.throws(() => parseConnectionFilter(filter), /^filter: .*accepted is state NAME, sport = :PORT/, filter);
  }
  const { code, err } = await qstack('ss', 'state', 'sleeping');
  assert.is(code, 1);
  assert.match(err, /^qstack: filter: "sleeping" is none of the states established, /);
});

tools('a filter judges ports, prefixes and states', () => {
  const ends = { local: { address: 0x0a000001, port: 80 }, remote: { address: 0x0a000105, port: 4_000 } };
  const passes = (text: string) => passesEndpoints(parseConnectionFilter(text), ends);
  assert.ok(passes('sport=:80 and dport >= :4000 dst 10.0.1.0/24 not src 10.0.0.2'));
  assert.ok(passes('dst 10.0.1.5:4000') && !passes('dst 10.0.1.5:4001') && !passes('dst fd00::1'));
  for (const [text, right] of [
    ['dport != :4000', false],
    ['dport < :4000', false],
    ['dport le 4000', true],
    ['dport gt 3999', true],
  ] as const) {
    assert.is(passes(text), right, text);
  }
  assert.ok(passesState(parseConnectionFilter('state connected'), 'LAST-ACK'));
  assert.not(passesState(parseConnectionFilter('! state close-wait'), 'CLOSE-WAIT'));
});

tools('top shows levels, stages, drops, Redis and threads; --json gives the snapshot', async ({ served }) => {
  const { code, out, err } = await qstack('top', '--once');
  assert.is(code, 0, err);
  assert.match(out, /^iotepserver 10\.0\.0\.1:80, process \d+, up /);
  assert.match(out, /^connections 200 of 2,000 /m);
  assert.match(out, /^level +offered\/s +answered\/s +p50 +p99 +p99\.9 +max +deferred +moved +shed$/m);
  assert.match(out, /^high +\d+ +\d+ +[\d.]+ (µs|ms) /m);
  assert.match(out, /^handler low +\d+ /m);
  assert.match(out, /^drops: /m);
  assert.match(out, /^redis +replies\/s/m);
  assert.match(out, /^threads: .*qstack-stack0 \d/m);
  const url = `${served.origin}/#token=${served.token}`;
  const follow = new Program('tools/qstack/main.js', ['top', '--json', url]);
  await follow.said('\n');
  await follow.stop('SIGTERM');
  assert.is((JSON.parse(follow.out.split('\n')[0] ?? '') as Snapshot).connections?.open, 200);
});

tools('--url and --token: by the page of a program, whose token may stand apart', async ({ served }) => {
  const reached = await qstack('ss', '--json', '--limit', '1', '--url', served.origin, '--token', served.token);
  assert.is(reached.code, 0, reached.err);
  assert.is((JSON.parse(reached.out) as ConnectionsFound).lines.length, 1);
  const top = await qstack('top', '--once', '--token', served.token, served.origin);
  assert.is(top.code, 0, top.err);
  assert.is((await qstack('top', '--once', '--token', 'another-token-than-that', served.origin)).code, 1);
});

tools(
  'without the token the URL is refused, with a sentence; so is a process that is none of ours',
  async ({ served }) => {
    const refused = await qstack('top', '--once', served.origin);
    assert.is(refused.code, 1);
    assert.match(refused.err, /a token is needed/);
    assert.throws(() => new ProgramClient({ pid: 1 }), /no program of ours with process id 1 runs here; there is\n/);
  },
);

tools('the help of both fits a screen and has examples', async () => {
  for (const name of ['top', 'ss']) {
    const { code, out } = await qstack(name, '--help');
    assert.is(code, 0);
    assert.match(out, /Examples:/);
    assert.ok(out.split('\n').length <= 30, `${name}: ${out.split('\n').length} lines`);
  }
});

tools('where no program runs, it is said what to start', async ({ served, mcc }) => {
  await mcc.stop('SIGKILL');
  assert.is(await served.server.stop(), 0, served.server.err);
  const { code, err } = await qstack('top', '--once');
  assert.is(code, 1);
  assert.match(err, /no program of this user runs here: start one/);
});

tools.run();
