// All that is run against our stack, in the order of the table.
import type { InteropCase } from './case.js';
import { connections } from './connections.js';
import { curl } from './curl.js';
import { apacheBench, wrkLoad } from './http.js';
import { iperf3Client, iperf3Server } from './iperf3.js';

export const CASES: readonly InteropCase[] = [
  curl,
  iperf3Server(),
  iperf3Client(),
  apacheBench(),
  wrkLoad(),
  connections,
];
