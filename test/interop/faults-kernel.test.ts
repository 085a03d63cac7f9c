// The kernel as the peer of a stack whose frames are lost, reordered and doubled on purpose: every byte arrives all the same.
// watchdog: 240s
import { tmpdir } from 'node:os';
import { suite } from 'uvu';
import { ECHO_PORT, EchoServer } from './echo-server.js';
import { assertDamaged, assertEchoed, FAULT_BYTES, faultKeys, flagsOf } from './faults.js';
import { type EchoResult, sayRate } from './kernel-peers.js';
import { type LinkKind, Namespace, OURS } from './namespace.js';
import { interop } from './skip.js';

const faults = suite('faults against the kernel');

async function echoed(namespace: Namespace, kind: LinkKind, seed: number): Promise<void> {
  const link = namespace.link(kind);
  const server = await EchoServer.start(namespace, link, { root: tmpdir(), flags: flagsOf(faultKeys(seed)) });
  const args = [OURS, `${ECHO_PORT}`, `${FAULT_BYTES}`];
  const result = await namespace.result<EchoResult>('test/interop/peers/echo-client.js', ...args);
  sayRate(`echo, 10 MB with faults over ${kind}, seed ${seed}`, result.bytes, result.seconds);
  assertEchoed(result);
  assertDamaged((await server.until(() => true, 3_000)).fault);
}

await interop(faults, (tests) => {
  for (const kind of ['tap', 'af_packet'] as const) {
    tests(`10 MB come back byte for byte over ${kind}`, async () => {
      const namespace = Namespace.make();
      const seed = Number(process.env.QSTACK_SEED ?? Date.now() % 2 ** 31);
      try {
        await echoed(namespace, kind, seed);
      } finally {
        await namespace.remove();
      }
    });
  }
});
faults.run();
