// The short forms of `npm run interop`: each tool against our stack, the devices and the faults shared out over them.
// watchdog: 240s
import { suite } from 'uvu';
import { type InteropCase, runCase } from './cases/case.js';
import { connectionsCase } from './cases/connections.js';
import { apacheBench, wrkLoad } from './cases/http.js';
import { iperf3Client, iperf3Server } from './cases/iperf3.js';
import type { LinkKind } from './namespace.js';
import { interop } from './skip.js';

const tools = suite('kernel tools');
const PLACES: readonly [InteropCase, LinkKind, boolean, number][] = [
  [iperf3Server, 'tap', false, 1],
  [iperf3Client, 'af_packet', false, 1],
  [iperf3Server, 'af_xdp', true, 1],
  [apacheBench, 'tap', true, 4],
  [apacheBench, 'af_xdp', false, 4],
  [wrkLoad, 'af_packet', false, 4],
  [connectionsCase(500, 20), 'af_packet', true, 20],
];

await interop(tools, (tests) => {
  for (const [one, kind, faults, seconds] of PLACES) {
    tests(`${one.says}, over ${kind}${faults ? ' with faults' : ''}`, async () => {
      console.log(`${one.tool}: ${await runCase(one, { kind, faults, seconds })}`);
    });
  }
});
tools.run();
