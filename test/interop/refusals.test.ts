// Devices of the kernel that cannot be had: each is refused at the start, in a sentence with the command that mends it.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Program } from '../apps/program.js';
import { LINK_KINDS, type LinkKind, Namespace, OURS, PREFIX_LENGTH } from './namespace.js';
import { interop } from './skip.js';

const refusals = suite<{ namespace: Namespace }>('refusals of devices');
const NEEDED: Readonly<Record<LinkKind, string>> = {
  tap: 'CAP_NET_ADMIN',
  af_packet: 'CAP_NET_ADMIN and CAP_NET_RAW',
  af_xdp: 'CAP_NET_ADMIN and CAP_NET_RAW and CAP_IPC_LOCK and CAP_SYS_ADMIN',
  pcap: 'CAP_NET_RAW',
};
const WITHOUT = ['setpriv', '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'];

function server(namespace: Namespace, device: string, wrapper: readonly string[] = []): Program {
  const flags = ['--device', device, '--host-ip', `${OURS}/${PREFIX_LENGTH}`, '--port', '7', '--http-port', '0'];
  return namespace.programAs(wrapper, 'apps/echo_server/main.js', ...flags);
}

async function refused(program: Program, sentence: RegExp): Promise<void> {
  const { child, out } = program;
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 10_000);
  assert.is(await program.ended, 1, `${out}${program.err}`);
  clearTimeout(watchdog);
  assert.match(program.err, sentence);
  assert.is(program.err.trim().split('\n').length, 1, program.err);
}

async function heldByTheKernel(namespace: Namespace, kind: LinkKind): Promise<void> {
  const { device } = namespace.link(kind);
  const name = device.split(':')[1] as string;
  if (kind === 'tap') namespace.run('ip', 'tuntap', 'add', name, 'mode', 'tap', 'multi_queue');
  const held = [`${OURS}/${PREFIX_LENGTH}`, 'dev', name];
  namespace.run('ip', 'addr', 'add', ...held);
  const mend = `ip addr del ${held.join(' ')}`;
  await refused(server(namespace, device), new RegExp(`the kernel answers for ${OURS} on ${name} .*\`${mend}\``));
  namespace.run(...mend.split(' '));
  const again = server(namespace, device);
  await again.said('listening');
  assert.is(await again.stop(), 0, again.err);
}

await interop(refusals, (tests) => {
  tests.before.each((context) => {
    context.namespace = Namespace.make();
  });
  tests.after.each(({ namespace }) => namespace.remove());

  for (const kind of LINK_KINDS) {
    tests(
      `${kind}: an address that the kernel holds on the same interface; the command that is named mends it`,
      (context) => heldByTheKernel(context.namespace, kind),
    );

    tests(`${kind}: capabilities that are missing are named`, async ({ namespace }) => {
      const program = server(namespace, namespace.link(kind).device, WITHOUT);
      await refused(program, new RegExp(`${kind}:\\w+ needs the capabilit(y|ies) ${NEEDED[kind]}: run as root`));
    });
  }

  for (const kind of ['af_packet', 'af_xdp', 'pcap'] as const) {
    tests(`${kind}: an interface that is not there`, async ({ namespace }) => {
      await refused(server(namespace, `${kind}:none0`), /there is no interface "none0"; `ip link` lists them/);
    });
  }

  tests('af_xdp: an interface whose queue another socket has', async ({ namespace }) => {
    const { device } = namespace.link('af_xdp');
    const first = server(namespace, device);
    await first.said('listening');
    await refused(
      server(namespace, device),
      /device "net_af_xdp\d+": no receive queue; does another AF_XDP socket have /,
    );
    assert.is(await first.stop(), 0, first.err);
  });

  tests(
    'af_xdp: the program that a killed stack left on an interface does not hinder the next one',
    async ({ namespace }) => {
      const { device } = namespace.link('af_xdp');
      const killed = server(namespace, device);
      await killed.said('listening');
      await killed.stop('SIGKILL');
      const next = server(namespace, device);
      await next.said('listening');
      assert.is(await next.stop(), 0, next.err);
      assert.not.match(namespace.run('ip', 'link', 'show', 'ours0'), /prog\/xdp/);
      assert.not.match(next.err, /lib(xdp|bpf)/);
    },
  );
});
refusals.run();
