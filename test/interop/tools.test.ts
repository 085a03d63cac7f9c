// The short forms of `npm run interop`: each tool against our stack, the devices and the faults shared out over them.
// watchdog: 240s
import { suite } from 'uvu';
import { type InteropCase, runCase } from './cases/case.js';
import { connectionsCase } from './cases/connections.js';
import { apacheBench, type Load, wrkLoad } from './cases/http.js';
import { iperf3Client, iperf3Server } from './cases/iperf3.js';
import type { LinkKind } from './namespace.js';
import { interop } from './skip.js';

const tools = suite('kernel tools');
const PARALLEL = { streams: 4, reverse: false };
const REVERSE = { streams: 1, reverse: true };
const BOTH = { streams: 4, reverse: true };
const LOADS: readonly Load[] = [
  { file: 'large.bin', keepAlive: true },
  { file: 'small.bin', keepAlive: false },
];
const PLACES: readonly [InteropCase, LinkKind, boolean, number][] = [
  [iperf3Server([BOTH]), 'tap', false, 1],
  [iperf3Server([PARALLEL]), 'af_xdp', true, 2],
  [iperf3Client([PARALLEL, REVERSE]), 'af_packet', false, 1],
  [apacheBench(LOADS), 'af_xdp', true, 4],
  [wrkLoad(LOADS), 'tap', false, 2],
  [connectionsCase(500, 20), 'af_packet', false, 20],
];

await interop(tools, (tests) => {
  for (const [one, kind, faults, seconds] of PLACES) {
    tests(`${one.says}, over ${kind}${faults ? ' with faults' : ''}`, async () => {
      console.log(`${one.tool}: ${await runCase(one, { kind, faults, seconds })}`);
    });
  }
});
tools.run();
