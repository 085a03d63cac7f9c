// What lies between us and a peer: a router of the kernel whose second link is narrower than ours, long pings, closed ports.
//   our stack ── tap ── [ namespace: router ] ── veth, 1,300 bytes at the router's end ── [ namespace: client ]
// The client thinks that its link carries 1,500, so that no MSS option hides the bottleneck: only ICMP tells of it.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type uvu } from 'uvu';
import * as assert from 'uvu/assert';
import { EchoServer, HTTP_PORT } from './echo-server.js';
import { sha256 } from './kernel-peers.js';
import { KERNEL, Namespace, OURS, PREFIX_LENGTH } from './namespace.js';
import { interop } from './skip.js';

const OURS6 = 'fd77::1';
const ROUTER6 = 'fd77::2';
const CLIENT = { own: '10.78.0.2', router: '10.78.0.1', own6: 'fd78::2', router6: 'fd78::1' };
const NARROW = 1_300;
const LENGTH = 2_000_000;

interface Context {
  router: Namespace;
  client: Namespace;
  server: EchoServer;
  folder: string;
}

/** A UDP datagram to a port of ours; what the kernel makes of the answer. */
const ASK_UDP = (host: string) => `
  const socket = require('node:dgram').createSocket(${host.includes(':') ? "'udp6'" : "'udp4'"});
  setTimeout(() => process.exit(3), 5_000);
  socket.on('error', (error) => { console.log(error.code); process.exit(0); });
  socket.connect(9, '${host}', () => socket.send('?'));`;

/** As it stands a moment later. */
async function counted(server: EchoServer, name: string): Promise<number> {
  return (await server.until(() => true, 5_000)).counters[name] ?? 0;
}

function connectClient({ router, client }: Pick<Context, 'router' | 'client'>): void {
  router.run('ip', 'link', 'add', 'narrow0', 'type', 'veth', 'peer', 'name', 'client0');
  router.run('ip', 'link', 'set', 'client0', 'netns', client.name);
  router.run('ip', 'link', 'set', 'narrow0', 'mtu', `${NARROW}`, 'up');
  router.run('ip', 'addr', 'add', `${CLIENT.router}/24`, 'dev', 'narrow0');
  router.run('ip', 'addr', 'add', `${CLIENT.router6}/64`, 'dev', 'narrow0', 'nodad');
  router.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  client.run('ip', 'link', 'set', 'client0', 'up');
  client.run('ip', 'addr', 'add', `${CLIENT.own}/24`, 'dev', 'client0');
  client.run('ip', 'addr', 'add', `${CLIENT.own6}/64`, 'dev', 'client0', 'nodad');
  client.run('ip', 'route', 'add', 'default', 'via', CLIENT.router, 'mtu', `${NARROW}`, 'advmss', '1460');
  client.run('ip', '-6', 'route', 'add', 'default', 'via', CLIENT.router6, 'mtu', `${NARROW}`, 'advmss', '1440');
}

function setUp(tests: uvu.Test<Context>): void {
  tests.before(async (context) => {
    context.folder = mkdtempSync(join(tmpdir(), 'qstack-path-'));
    writeFileSync(join(context.folder, 'file.bin'), randomBytes(LENGTH));
    context.router = Namespace.make();
    context.client = Namespace.make();
    const link = context.router.link('tap');
    const hosts = ['--host-ip', `${OURS}/${PREFIX_LENGTH},${OURS6}/64`, '--gateway', `${KERNEL},${ROUTER6}`];
    context.server = await EchoServer.start(context.router, link, {
      root: context.folder,
      flags: [...hosts, '--dad-transmits', '0'],
    });
    context.router.run('ip', 'addr', 'add', `${ROUTER6}/64`, 'dev', link.kernelEnd, 'nodad');
    connectClient(context);
  });
  tests.after(async ({ client, router, folder }) => {
    await client?.remove();
    await router?.remove();
    rmSync(folder, { recursive: true, force: true });
  });
}

const path = suite<Context>('what lies between us and a peer');

await interop(path, (tests) => {
  setUp(tests);

  for (const [family, host] of [
    ['IPv4', OURS],
    ['IPv6', `[${OURS6}]`],
  ] as const) {
    tests(`${family}: a router says that segments are too big, and the file arrives byte for byte`, async (context) => {
      const { client, server, folder } = context;
      const [lowered, errors] = [await counted(server, 'path_mtu_lowered'), await counted(server, 'icmp_errors_in')];
      const copy = join(folder, 'copy.bin');
      client.run('curl', '-sS', '--max-time', '30', '-o', copy, `http://${host}:${HTTP_PORT}/file.bin`);
      assert.is(sha256(readFileSync(copy)), sha256(readFileSync(join(folder, 'file.bin'))));
      assert.is(await counted(server, 'path_mtu_lowered'), lowered + 1);
      assert.is(await counted(server, 'path_mtu_black_holes'), 0);
      assert.ok((await counted(server, 'icmp_errors_in')) > errors);
    });
  }

  tests(
    'pings of 4,000 and 8,000 bytes come in fragments and are answered in fragments, over both families',
    (context) => {
      for (const [to, from] of [
        [OURS, context.router],
        [OURS6, context.router],
        [OURS, context.client],
        [OURS6, context.client],
      ] as const) {
        for (const size of ['4000', '8000']) {
          const said = from.run('ping', '-c', '3', '-i', '0.05', '-W', '2', '-s', size, to);
          assert.match(said, /3 packets transmitted, 3 received/, `${size} bytes to ${to}`);
        }
      }
    },
  );

  tests('a longer ping is counted and not answered', async ({ router, server }) => {
    const before = await counted(server, 'drop_ip_fragment');
    const { status } = router.try('ping', '-c', '1', '-W', '1', '-s', '20000', OURS);
    assert.is(status, 1);
    assert.ok((await counted(server, 'drop_ip_fragment')) > before);
  });

  tests('a datagram of UDP is refused: its sender learns that nobody listens', ({ router, client }) => {
    for (const [from, to] of [
      [router, OURS],
      [router, OURS6],
      [client, OURS],
    ] as const) {
      assert.is(from.run(process.execPath, '-e', ASK_UDP(to)).trim(), 'ECONNREFUSED');
    }
  });

  tests('the server ends in order', async ({ server }) => {
    assert.is(await server.program.stop(), 0, server.program.err);
  });
});
path.run();
