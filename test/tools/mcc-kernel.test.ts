// mcc on kernel sockets against servers of node:net and node:http in this process: the command lines as a person types them.
// watchdog: 240s
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Program } from '../apps/program.js';

interface Context {
  echo: Server;
  http: Server;
  /** Where connections came from. */
  sources: Set<string>;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function listening(server: Server): Promise<Server> {
  return new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => resolve(server)));
}

/** `files`: the limit of open files of the command. */
async function mcc(server: Server | number, line: string, files?: number) {
  const port = typeof server === 'number' ? server : portOf(server);
  const words = [...line.split(' '), '--network-stack', 'kernel', '--dest', '127.0.0.1', '--port', String(port)];
  const limited = files === undefined ? [] : ['sh', '-c', `ulimit -n ${files}; exec "$0" "$@"`];
  const program = new Program('tools/mcc/main.js', words, limited);
  const code = await program.ended;
  return { code, out: program.out, err: program.err };
}

const kernel = suite<Context>('mcc on kernel sockets');

kernel.before(async (context) => {
  context.sources = new Set();
  context.echo = await listening(
    createServer((socket) => {
      context.sources.add(socket.remoteAddress ?? '');
      socket.on('error', () => {}).pipe(socket);
    }),
  );
  context.http = await listening(
    createHttpServer((request, response) => {
      response.statusCode = request.url === '/' && request.headers.host === 'example.test' ? 200 : 404;
      if (request.url === '/chunks') response.write('chunk');
      response.end('hello');
    }) as unknown as Server,
  );
});
kernel.after(({ echo, http }) => {
  echo.close();
  http.close();
});

kernel('open loop: every message is answered and checked, without DPDK', async ({ echo }) => {
  const line = '-c 100 -w 0 -l 200 -r 0.1 --answer all --reply echo --rate 1k/s -d 1s --json --quiet';
  const { code, out, err } = await mcc(echo, line);
  assert.is(code, 0, err);
  const report = JSON.parse(out);
  const [high, low] = report.levels;
  assert.is(report.connected, 100);
  assert.is(high.answered + low.answered, 1_000);
  assert.is(high.lost + low.lost + report.mismatched, 0);
  assert.ok(low.p50_us > 0 && low.p50_us <= low.p99_us);
  assert.is(report.stack.sockets, 100);
  assert.is(report.stack.bytes_out, 200_000);
});

kernel('local addresses of the loopback need no aliases', async (context) => {
  context.sources.clear();
  const line = '-c 9 -w 0 --answer all --reply echo --rate 100/s -d 200ms --source 127.0.0.5 --ips 3 --json --quiet';
  const { code, err } = await mcc(context.echo, line);
  assert.is(code, 0, err);
  assert.equal([...context.sources].sort(), ['127.0.0.5', '127.0.0.6', '127.0.0.7']);
});

kernel(
  'beyond the limit of open files several processes share connections and load, and report as one',
  async ({ echo }) => {
    const line = '-c 300 -w 0 -l 64 --answer all --reply echo --phases paced:900/1s,wave:150/500ms/1s --json';
    const { code, out, err } = await mcc(echo, line, 200);
    assert.is(code, 0, err);
    assert.match(
      err,
      /300 connections to 127\.0\.0\.1:\d+ by kernel sockets, in 3 processes because of the limit of open files/,
    );
    const report = JSON.parse(out);
    assert.is(report.connected, 300);
    assert.is(report.stack.sockets, 300);
    const [paced, wave] = report.phases;
    assert.is(paced.levels[0].sent, 900);
    assert.is(paced.levels[0].answered, 900);
    assert.ok(paced.levels[0].p50_us > 0 && paced.levels[0].p99_us <= paced.levels[0].max_us);
    assert.is(wave.levels[0].answered, 300);
    assert.is(paced.mismatched + wave.mismatched, 0);
  },
);

kernel('echo: ping-pong on lasting connections', async ({ echo }) => {
  const { code, out, err } = await mcc(echo, '--mode echo -c 10 -l 64 -w 0 -d 500ms --json --quiet');
  assert.is(code, 0, err);
  const report = JSON.parse(out);
  assert.is(report.phase, 'echo');
  assert.equal(
    report.levels.map(({ name }: { name: string }) => name),
    ['request'],
  );
  const [request] = report.levels;
  assert.ok(request.answered > 10);
  assert.is(request.lost, 0);
  assert.is(report.stack.sockets, 10);
  assert.ok(report.received_bytes_per_s > report.answered_per_s * 60);
});

kernel('wan: short connections at the rate of a Poisson process, of random lengths', async ({ echo }) => {
  const line = '--mode wan -c 50 -n 3 --lambda 200/s --random-length -l 400 -w 0 -d 1s';
  const { code, out, err } = await mcc(echo, `${line} --json --quiet`);
  assert.is(code, 0, err);
  const { levels, mismatched, connections_per_s } = JSON.parse(out);
  const [request, connection] = levels;
  assert.is(connection.name, 'connection');
  // 200 are expected; five standard deviations. The end cuts 50 at most, and those that were due while mcc was not on its core until
  // the end are unsent.
  const { offered, sent, unsent, answered } = connection;
  assert.ok(offered > 79 && offered < 271, JSON.stringify(connection));
  assert.is(sent + unsent, offered);
  assert.is(connection.lost + connection.errors + mismatched, 0);
  assert.ok(answered > 0 && request.answered >= 3 * answered);
  assert.ok(connections_per_s > 0 && connections_per_s <= answered);
});

kernel('http: keep-alive, what the server says in chunks, and an error is no answer', async ({ http }) => {
  const found = await mcc(http, '--mode http -c 5 --host example.test -w 0 -d 300ms --json --quiet');
  assert.is(found.code, 0, found.err);
  const report = JSON.parse(found.out);
  assert.ok(report.levels[0].answered > 5);
  assert.is(report.stack.sockets, 5);
  const missing = JSON.parse((await mcc(http, '--mode http -c 5 --path /chunks -w 0 -d 300ms --json --quiet')).out);
  assert.is(missing.levels[0].answered, 0);
  assert.ok(missing.levels[0].errors > 5);
  assert.is(missing.mismatched, 0);
});

kernel('epwget: so many flows in all, one GET each', async ({ http }) => {
  const { code, out, err } = await mcc(http, '--mode http -n 1 --flows 200 -c 20 --host example.test -w 0');
  assert.is(code, 0, err);
  assert.match(out, /^http, [\d.]+ s/);
  assert.match(out, /^request +200 +200 +0 +0 /m);
  assert.match(out, /^connection +200 +200 +0 +0 /m);
  assert.match(out, /^connections [\d,]+\/s {3}received .*\/s$/m);
  assert.match(err, /^20 connections to 127\.0\.0\.1:\d+ by kernel sockets$/m);
});

kernel('a closed loop is shared by processes as well', async ({ echo }) => {
  const { code, out, err } = await mcc(echo, '--mode wan -c 200 -n 2 --flows 400 -w 0 --json --quiet', 180);
  assert.is(code, 0, err);
  const { levels } = JSON.parse(out);
  assert.is(levels[1].answered, 400);
  assert.is(levels[0].answered, 800);
});

kernel('a server that is not there is named, with what the kernel says', async ({ echo }) => {
  const closed = await listening(createServer());
  const port = portOf(closed);
  await new Promise((resolve) => closed.close(resolve));
  const { code, err } = await mcc(port, '-c 2 -s 0 -w 0 --connect-limit 1500ms -d 1s');
  assert.is(code, 1);
  assert.match(err, /\d+ opens were refused: does a server listen at 127\.0\.0\.1:\d+\?/);
  assert.match(err, /mcc: only 0 of 2 connections stood/);
  const foreign = await mcc(echo, '-c 1 --source 192.0.2.1 -s 0 --connect-limit 200ms --quiet');
  assert.match(foreign.err, /without a local address or port: is the address on this machine\?/);
});

kernel('what does not go with kernel sockets is refused, with exit 2', async ({ echo }) => {
  const { code, err } = await mcc(echo, '--flood syn --gateway 10.0.0.1 --device no-such-interface');
  assert.is(code, 2);
  assert.match(err, /--flood: "syn" is not accepted; it goes with --network-stack qstack/);
  assert.match(err, /--gateway: /);
  assert.match(err, /--device: "no-such-interface" is no interface with IPv4 addresses; .* one of .*lo/);
});

kernel('--plan tells the processes and starts nothing', async ({ echo }) => {
  const { code, out } = await mcc(echo, '-c 300 --plan', 200);
  assert.is(code, 0);
  assert.match(out, /^2 threads: 1 control, 1 engine, in each of 3 processes and their parent/);
  assert.match(out, /sockets/);
});

kernel.run();
