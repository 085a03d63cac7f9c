// HdrHistogram's own objects, for the formats that its tools read. Three significant digits in HdrHistogram are the cells of
// native/mcc/histogram.hh (2,048 exact values, 1,024 cells each doubling), so nothing is lost on the way in or out.
import { build, Float64Histogram, type JsHistogram } from 'hdr-histogram-js';
import { Histogram } from './histogram.js';

/** kLargest of native/mcc/histogram.hh: 18 minutes. The same in every histogram, so that readers can add them up. */
const LARGEST_NS = 2 ** 40 - 1;

export function toHdr(histogram: Histogram): JsHistogram {
  const hdr = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LARGEST_NS,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 64,
  });
  if (!(hdr instanceof Float64Histogram)) throw new Error('hdr-histogram-js gave another histogram than was asked for');
  for (const [valueNs, count] of histogram) hdr.recordValueWithCount(Math.min(valueNs, LARGEST_NS), count);
  return hdr;
}

export function fromHdr(hdr: JsHistogram): Histogram {
  const cells: number[] = [];
  for (let index = 0; index < hdr.countsArrayLength; index++) {
    const count = hdr.getCountAtIndex(index);
    if (count > 0) cells.push(hdr.highestEquivalentValue(hdr.valueFromIndex(index)), count);
  }
  return Histogram.of(cells, hdr.maxValue);
}
