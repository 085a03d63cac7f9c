// The two charts of `bulk --sweep`: goodput over the size of a write, and over the send buffer with small writes.
// They repeat the measurement in the slides of "mTCP使ってみた" (H. Tazaki, 2014): there 10 Gbit/s Ethernet between two
// machines, here shared memory and veth on one.
import { type Context, interleaved, medianOf, type Sample } from './benchmark.js';
import type { BulkOptions } from './bulk.js';
import type { Chart } from './svg.js';

const WRITE_SIZES = [64, 256, 1_024, 2_048, 4_096, 8_192];
const BUFFERS = [2_048, 10_240, 51_200, 102_400, 204_800, 512_000, 1_024_000];
/** Of the slides: the send buffer while writes vary, and the write while the buffer does. */
const BUFFER_OF_WRITES = 102_400;
const WRITE_OF_BUFFERS = 64;

interface Ways {
  overMemif(options: BulkOptions): Promise<Sample>;
  kernelToKernel(options: BulkOptions): Promise<Sample>;
  readonly hasKernel: boolean;
}

async function sweep(
  context: Context,
  ways: Ways,
  values: readonly number[],
  optionsOf: (value: number) => BulkOptions,
): Promise<Chart['series']> {
  const contenders = values.flatMap((value) => [
    { name: `memif ${value}`, run: () => ways.overMemif(optionsOf(value)) },
    ...(ways.hasKernel ? [{ name: `kernel ${value}`, run: () => ways.kernelToKernel(optionsOf(value)) }] : []),
  ]);
  const rows = await interleaved(contenders, context);
  const points = (who: string) =>
    values.map((value) => [value, medianOf(rows, `${who} ${value}`, 'gbit_per_s')] as const);
  const kernel = ways.hasKernel ? [{ name: 'kernel, veth without offloads', points: points('kernel') }] : [];
  return [{ name: 'qstack, memif', points: points('memif') }, ...kernel];
}

export async function sweepCharts(context: Context, ways: Ways): Promise<Chart[]> {
  const shape = { seconds: context.seconds, receiveBuffer: 0 };
  const axes = { y: 'goodput, Gbit/s', logarithmicX: true };
  const byWrite = await sweep(context, ways, WRITE_SIZES, (writeSize) => ({
    ...shape,
    writeSize,
    sendBuffer: BUFFER_OF_WRITES,
  }));
  const byBuffer = await sweep(context, ways, BUFFERS, (sendBuffer) => ({
    ...shape,
    writeSize: WRITE_OF_BUFFERS,
    sendBuffer,
  }));
  return [
    {
      name: 'bulk-write-size',
      title: 'One connection, send buffer of 102,400 bytes',
      x: 'bytes per write',
      series: byWrite,
      ...axes,
    },
    {
      name: 'bulk-send-buffer',
      title: 'One connection, writes of 64 bytes',
      x: 'bytes of send buffer',
      series: byBuffer,
      ...axes,
    },
  ];
}
