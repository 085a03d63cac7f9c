// watchdog: 400s
// The dashboard's doors: who may read, who may change, and what hostile clients get. All on a running iotepserver.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Snapshot } from '../../stack/dashboard/snapshot.js';
import { Program } from '../apps/program.js';
import { freePort } from '../free-port.js';
import { Served } from './served.js';

const doors = suite<{ served: Served }>('dashboard');
doors.before(async (context) => {
  context.served = await Served.start();
});
doors.after(({ served }) => served?.close());

const RULES = JSON.stringify({ lines: ['dst port 80 and length > 1000 -> low'] });

/** Bytes as they are, and all that comes back until the server closes. */
function raw(origin: string, text: string, thenEnd = true): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(answer) : reject(error),
    );
    socket.write(text, () => thenEnd && socket.end());
  });
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

doors('/healthz says ok, with the headers of every answer', async ({ served }) => {
  const response = await served.get('/healthz');
  assert.is(response.status, 200);
  assert.is(await response.text(), 'ok\n');
  const policy = response.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.not.match(policy, /unsafe/);
  assert.is(response.headers.get('x-content-type-options'), 'nosniff');
  assert.is(response.headers.get('referrer-policy'), 'no-referrer');
});

doors(
  'on a loopback address everybody may read, and what is read is what happened in the last second',
  async ({ served }) => {
    const mcc = served.load('--rate 400 -d 4');
    await mcc.ranFor(2);
    const all = (await (await served.get('/api/snapshots?after=0')).json()) as Snapshot[];
    await mcc.ended;
    const last = all.at(-1) as Snapshot;
    assert.equal(last.levels, ['high', 'low']);
    assert.is(last.program.name, 'iotepserver');
    assert.is(last.connections?.open, 200);
    const offered = last.rates?.reduce((sum, level) => sum + level.offered_per_s, 0) ?? 0;
    assert.ok(offered > 100 && offered < 1_000, String(offered));
    const wire = last.stages?.filter(({ stage }) => stage === 'wire') ?? [];
    assert.is(wire.length, 2);
    for (const stage of wire)
      assert.ok(stage.p50_us > 0 && stage.p50_us <= stage.p99_us && stage.p99_us <= stage.max_us);
    assert.is(last.redis?.length, 2);
    assert.ok(last.redis?.every(({ connected, replied_per_s }) => connected && replied_per_s > 0));
    assert.ok((last.busiest?.length ?? 0) > 0 && (last.slowest?.length ?? 0) > 0);
    for (const { remote } of [...(last.busiest ?? []), ...(last.slowest ?? [])])
      assert.match(remote, /^10\.0\.1\.\d+:\d+$/);
    const queue = last.queues?.find(({ queue: name, level }) => name === 'events' && level === 'high');
    assert.ok(queue !== undefined && queue.depth >= 0 && queue.capacity >= 8_192);
    assert.ok((last.cores?.length ?? 0) > 0);
    assert.ok(last.threads?.some(({ thread }) => thread === 'qstack-stack0'));
    const numbers = all.map(({ number }) => number);
    const behind = (await (await served.get(`/api/snapshots?after=${numbers[0]}`)).json()) as Snapshot[];
    assert.ok(behind.every(({ number }) => number > (numbers[0] as number)));
  },
);

doors('a change needs the token, also on 127.0.0.1, and a wrong one is refused', async ({ served }) => {
  const none = await served.post('/api/rules', RULES);
  assert.is(none.status, 401);
  assert.is(none.headers.get('www-authenticate'), 'Bearer');
  assert.match(((await none.json()) as { error: string }).error, /#token=/);
  for (const wrong of ['x', served.token.slice(1), `${served.token}x`]) {
    assert.is((await served.post('/api/rules', RULES, { Authorization: `Bearer ${wrong}` })).status, 401);
  }
  assert.is((await served.post(`/api/rules?token=${served.token}`, RULES)).status, 401);
});

doors('with the token rules are replaced and counted, and a fault changes nothing', async ({ served }) => {
  const rulesNow = async () => ((await (await served.get('/api/snapshots')).json()) as Snapshot[]).at(-1)?.rules;
  const right = await served.post('/api/rules', RULES, served.bearer);
  assert.is(right.status, 200, await right.clone().text());
  await new Promise((done) => setTimeout(done, 1_200));
  assert.equal((await rulesNow())?.lines, ['dst port 80 and length > 1000 -> low']);
  assert.is((await rulesNow())?.all[0]?.from, 'configuration');
  const wrong = await served.post('/api/rules', JSON.stringify({ lines: ['a', 'b -> c'] }), served.bearer);
  assert.is(wrong.status, 422);
  assert.match(((await wrong.json()) as { error: string }).error, /^line 1: /);
  assert.equal((await rulesNow())?.lines, ['dst port 80 and length > 1000 -> low']);
  for (const body of ['', '{', '[]', '{"lines":1}', '{"lines":[1]}']) {
    assert.is((await served.post('/api/rules', body, served.bearer)).status, 400, body);
  }
});

doors('so is the policy, which the snapshots tell; Redis and messages go on by it', async ({ served }) => {
  const policyNow = async () =>
    ((await (await served.get('/api/snapshots')).json()) as Snapshot[]).at(-1)?.policy?.lines;
  const post = (lines: string[], headers = served.bearer) =>
    served.post('/api/policy', JSON.stringify({ lines }), headers);
  const strict = ['policy = strict', 'starvation_bound = 20ms'];
  const weighted = ['policy = weighted', 'weights = high 4, low 1'];
  assert.is((await post(weighted, {})).status, 401);
  const fault = async (lines: string[]) => {
    const response = await post(lines);
    assert.is(response.status, 422);
    return ((await response.json()) as { error: string }).error;
  };
  assert.match(
    await fault(['policy = fair', 'port = 80']),
    /^line 1: policy: .*strict.*; line 2: port: is no key of a policy/,
  );
  assert.match(await fault(['policy = deadline']), /the deadline has nothing for level "high"/);
  assert.equal(await policyNow(), strict);
  assert.is((await post(weighted)).status, 200);
  const mcc = served.load('--rate 400 -d 2');
  await mcc.ended;
  const { levels } = JSON.parse(mcc.out) as { levels: { answered: number; lost: number }[] };
  assert.ok(
    levels.every(({ answered, lost }) => answered > 0 && lost === 0),
    mcc.out,
  );
  assert.equal(await policyNow(), weighted);
  assert.is((await post([])).status, 200);
});

doors('another Host and another Origin are refused', async ({ served }) => {
  const ask = (headers: string) =>
    raw(served.origin, `GET /api/snapshots HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`);
  assert.is(statusOf(await ask('Host: 127.0.0.1\r\n')), 200);
  assert.is(statusOf(await ask('Host: localhost:1234\r\n')), 200);
  assert.is(statusOf(await ask('Host: evil.example\r\n')), 403);
  assert.is(statusOf(await ask('Host: 10.1.2.3\r\n')), 403);
  assert.is(statusOf(await ask('Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n')), 403);
  assert.is(statusOf(await ask('Host: 127.0.0.1\r\nOrigin: null\r\n')), 403);
  assert.is(statusOf(await ask('Host: 127.0.0.1:9\r\nOrigin: http://127.0.0.1:9\r\n')), 200);
  const foreign = await served.post('/api/rules', RULES, { ...served.bearer, Origin: 'http://evil.example' });
  assert.is(foreign.status, 403);
});

doors('no path leads to a file, and what is not there is not there', async ({ served }) => {
  for (const path of [
    '/../package.json',
    '/%2e%2e/%2e%2e/etc/passwd',
    '//etc/passwd',
    '/main.js/../../x',
    '/constructor',
    '/%00',
  ]) {
    const answer = await raw(served.origin, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    assert.ok([400, 404].includes(statusOf(answer)), `${path} ${answer.slice(0, 40)}`);
  }
  assert.is(
    statusOf(await raw(served.origin, 'DELETE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')),
    405,
  );
  for (const after of ['-1', 'x', '1e99', '1.5'])
    assert.is((await served.get(`/api/snapshots?after=${after}`)).status, 400);
});

doors('hostile clients get an error or nothing, and the server lives on', async ({ served }) => {
  const head = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n';
  assert.ok([400, 431].includes(statusOf(await raw(served.origin, `${head}X: ${'a'.repeat(20_000)}\r\n\r\n`))));
  assert.is(statusOf(await raw(served.origin, '\u0000\u0001 nonsense\r\n\r\n')), 400);
  const twice = `POST /api/rules HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
  assert.is(statusOf(await raw(served.origin, twice)), 400);
  const large = `{"lines":["${'x'.repeat(70_000)}"]}`;
  assert.is((await served.post('/api/rules', large, served.bearer)).status, 413);
  const many = Array.from({ length: 200 }, () => connect(Number(new URL(served.origin).port), '127.0.0.1'));
  for (const socket of many) socket.on('error', () => {});
  await new Promise((done) => setTimeout(done, 200));
  for (const socket of many) socket.destroy();
  const halfRequest = raw(served.origin, 'GET / HTTP/1.1\r\nHo', false);
  await new Promise((done) => setTimeout(done, 100));
  assert.is((await served.get('/healthz')).status, 200);
  const answer = await halfRequest;
  assert.ok([0, 400, 408].includes(statusOf(answer)), answer);
});

doors('the control socket serves the same without a token, in a folder of mode 0700', async ({ served }) => {
  const folder = join(served.folder, 'qstack', 'control');
  const [name = ''] = readdirSync(folder);
  assert.is(name, `iotepserver-${served.server.child.pid}.sock`);
  assert.is(statSync(folder).mode & 0o777, 0o700);
  const status = await new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(folder, name), path: '/api/rules', method: 'POST' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', reject);
    asked.end('{"lines":[]}');
  });
  assert.is(status, 200);
  assert.is(await served.server.stop(), 0, served.server.err);
  assert.not(existsSync(join(folder, name)));
});

doors('with a token of its own, reading needs it as well; only /healthz does not', async () => {
  const served = await Served.start(['--dashboard-token', 'a-secret-of-ours']);
  try {
    assert.is(served.token, 'a-secret-of-ours');
    assert.is((await served.get('/metrics')).status, 401);
    assert.is((await served.get('/metrics', served.bearer)).status, 200);
    assert.is((await served.get('/api/snapshots')).status, 401);
    assert.is((await served.get('/healthz')).status, 200);
    const taken = new Program('apps/iotepserver/main.js', [
      '--device',
      `memif:${served.folder}/memif/b.sock?server`,
      '--redis',
      `${served.folder}/redis/redis-0.sock`,
      '--dashboard',
      new URL(served.origin).host,
    ]);
    assert.is(await taken.ended, 1);
    assert.match(taken.err, /somebody else listens there; `--dashboard 127\.0\.0\.1:0` takes a free port/);
  } finally {
    await served.close();
  }
});

doors('on another address than loopback reading needs the random token', async () => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
  const served = await Served.start([], '0.0.0.0:0');
  try {
    const origin = served.origin.replace('0.0.0.0', own ?? '127.0.0.1');
    assert.is((await fetch(`${origin}/metrics`)).status, 401);
    assert.is((await fetch(`${origin}/metrics`, { headers: served.bearer })).status, 200);
    assert.is((await fetch(`${origin}/healthz`)).status, 200);
  } finally {
    await served.close();
  }
});

doors('a wrong address or token is a fault of the configuration, and the token is never repeated', async () => {
  for (const address of ['example.com:80', '127.0.0.1:70000', '127.0.0.1', '::1:80']) {
    const program = new Program('apps/iotepserver/main.js', ['--dashboard', address, '--plan']);
    assert.is(await program.ended, 2, address);
    assert.match(program.err, /--dashboard: dashboard: .*a\.b\.c\.d:port/);
  }
  const short = new Program('apps/iotepserver/main.js', ['--dashboard-token', 'tiny', '--plan']);
  assert.is(await short.ended, 2);
  assert.match(short.err, /12 to 128 letters/);
  assert.not.match(short.err, /tiny/);
});

doors('`qstack run` has it as well', async () => {
  const port = await freePort();
  const module = new URL('../stack/fixtures/echo.js', import.meta.url).pathname;
  const device = `memif:/tmp/qstack-run-${process.pid}/q.sock?server`;
  const program = new Program('tools/qstack/main.js', ['run', module, '--device', device, '--dashboard', String(port)]);
  try {
    await program.said(`dashboard http://127.0.0.1:${port}/#token=`);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(text, /^qstack_build_info\{program="qstack run",/m);
    assert.is(await program.stop(), 0, program.err);
  } finally {
    await program.stop('SIGKILL');
  }
});

doors.run();
