// Kernel peers over af_packet with two queues and a stack for each: the kernel spreads flows by a hash of its own. See kernel-peers.ts.
// Needs root for a namespace of its own.
// watchdog: 240s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { kernelPeers, type PeerContext } from './kernel-peers.js';
import { OURS, PREFIX_LENGTH } from './namespace.js';
import { interop } from './skip.js';

const peers = suite<PeerContext>('kernel peers over af_packet with a queue for each stack');
await interop(peers, (tests) => {
  kernelPeers(tests, 'af_packet', { shortSeconds: 2, queues: 2 });

  tests('both stacks had frames, and those of the wrong queue crossed over', ({ server }) => {
    const { stacks, device } = server.counters();
    assert.is(stacks.length, 2);
    for (const { framesIn } of stacks) assert.ok(framesIn > 1_000, JSON.stringify(stacks));
    assert.ok((device.steered ?? 0) > 100, JSON.stringify(device));
    assert.is(device.steer_dropped, 0);
    assert.is(device.steer_forwarded, 0, 'each stack sends on its own queue');
  });

  tests('with fewer stacks than queues it does not start: frames of the others would be lost', async (context) => {
    const { namespace, link } = context;
    const flags = ['--device', link.device, '--host-ip', `${OURS}/${PREFIX_LENGTH}`, '--port', '7', '--http-port', '0'];
    const program = namespace.program('apps/echo_server/main.js', ...flags);
    assert.is(await program.ended, 1, program.out);
    assert.match(program.err, /spreads frames over 2 queues \(qpairs\): stack_thread = 2/);
  });
});
peers.run();
