// Histograms of latencies: percentiles, sums and differences, and HdrHistogram's two files, read back by its own library.
import { HistogramLogReader, listTags } from 'hdr-histogram-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hgrmText } from '../../tools/histogram/hgrm.js';
import { Histogram } from '../../tools/histogram/histogram.js';
import { HistogramLog, readHistogramLog } from '../../tools/histogram/hlog.js';

/** The end of the cell of native/mcc/histogram.hh that a value falls into: 11 significant bits. */
function cellEnd(value: number): number {
  const size = 2 ** Math.max(0, Math.floor(Math.log2(value || 1)) - 10);
  return (Math.floor(value / size) + 1) * size - 1;
}

function of(values: readonly number[]): Histogram {
  return Histogram.of(
    values.flatMap((value) => [cellEnd(value), 1]),
    Math.max(0, ...values),
  );
}

const THOUSAND = Array.from({ length: 1_000 }, (_, index) => (index + 1) * 1_000);

test('a percentile is the end of the cell in which its rank lies, and never above the maximum', () => {
  const histogram = of(THOUSAND);
  assert.is(histogram.count, 1_000);
  assert.is(histogram.percentileNs(0.5), cellEnd(500_000));
  assert.is(histogram.percentileNs(0.999), cellEnd(999_000));
  assert.is(histogram.percentileNs(1), 1_000_000);
  assert.is(histogram.percentileNs(0), 1_000);
  assert.is(Histogram.empty.percentileNs(0.5), undefined);
});

test('histograms of several processes add up, whatever the order of their cells', () => {
  const [odd, even] = [THOUSAND.filter((_, at) => at % 2 === 0), THOUSAND.filter((_, at) => at % 2 === 1)];
  const merged = Histogram.merge([of(odd.reverse()), of(even), Histogram.empty]);
  assert.equal(merged.toJSON(), of(THOUSAND).toJSON());
  assert.equal(Histogram.merge([]).count, 0);
});

test('what came since an earlier look is the difference; its maximum is known as well as the cells tell', () => {
  const earlier = of(THOUSAND.slice(0, 990));
  const later = of(THOUSAND);
  const since = later.since(earlier);
  assert.is(since.count, 10);
  assert.is(since.maxNs, 1_000_000);
  assert.equal(Histogram.merge([earlier, since]).toJSON(), later.toJSON());
  assert.is(of([...THOUSAND, 5]).since(later).maxNs, 5);
  assert.is(later.since(later).count, 0);
});

test('a histogram crosses a channel of JSON', () => {
  const histogram = of([3, 3, 70_000, 2 ** 39]);
  const over = Histogram.from(JSON.parse(JSON.stringify(histogram)));
  assert.equal(over.toJSON(), histogram.toJSON());
});

test('.hgrm has the lines of HdrHistogram: value in ms, percentile, count, 1/(1-percentile)', () => {
  const lines = hgrmText(of(THOUSAND)).split('\n');
  assert.is(lines[0], '       Value     Percentile TotalCount 1/(1-Percentile)');
  assert.is(lines[1], '');
  assert.is(lines[2], '       0.001 0.000000000000          1           1.00');
  const rows = lines.filter((line) => /^ +\d/.test(line));
  for (const row of rows.slice(0, -1)) assert.match(row, /^ *\d+\.\d{3} [01]\.\d{12} +\d+ +\d+\.\d{2}$/);
  assert.is(rows.at(-1), '       1.000 1.000000000000       1000');
  const middle = rows.find((row) => row.includes(' 0.500000000000 ')) ?? '';
  assert.is(middle, '       0.500 0.500000000000        500           2.00');
  assert.match(lines.at(-4) ?? '', /^#\[Mean {4}= {8}0\.50\d, StdDeviation {3}= {8}0\.28\d\]$/);
  assert.is(lines.at(-3), '#[Max     =        1.000, Total count    =         1000]');
  assert.match(lines.at(-2) ?? '', /^#\[Buckets = +\d+, SubBuckets {5}= +2048\]$/);
});

test('.hgrm of a level without an answer has a head and counts, and no row', () => {
  assert.match(hgrmText(Histogram.empty), /Total count {4}= {12}0\]/);
  assert.not.match(hgrmText(Histogram.empty), /^ +\d/m);
});

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

function log(): string {
  let text = '';
  const writer = new HistogramLog((line) => (text += line), START, 'mcc -c 1\n');
  writer.add({ startMs: START + 500, endMs: START + 1_500, tag: 'high', histogram: of(THOUSAND) });
  writer.add({ startMs: START + 500, endMs: START + 1_500, tag: 'bulk, far', histogram: of([2 ** 39 + 12_345]) });
  writer.add({ startMs: START + 1_500, endMs: START + 2_500, tag: 'high', histogram: Histogram.empty });
  return text;
}

test('.hlog opens with version, start and legend, then has a line per interval and tag', () => {
  const lines = log().trimEnd().split('\n');
  assert.equal(lines.slice(0, 4), [
    '#[Logged by mcc -c 1 ]',
    '#[Histogram log format version 1.3]',
    `#[StartTime: ${START / 1_000}.000 (seconds since epoch), 2026-01-02T03:04:05.000Z]`,
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
  ]);
  assert.match(lines[4] ?? '', /^Tag=high,0\.500,1\.000,1\.000,HISTFAAAA[\w+/]+=*$/);
  assert.match(lines[5] ?? '', /^Tag=bulk_far,0\.500,1\.000,549755\.\d{3},HISTFAAAA/);
  assert.is(lines.length, 7);
});

test("the field's reader finds every count in its cell", () => {
  assert.equal(listTags(log()), ['high', 'bulk_far']);
  const reader = new HistogramLogReader(log(), 64);
  const first = reader.nextIntervalHistogram();
  assert.is(first?.startTimeStampMsec, START + 500);
  assert.is(first?.totalCount, 1_000);
  assert.is(first?.getValueAtPercentile(99), cellEnd(990_000));
});

test('reading a log back loses nothing', () => {
  const [high, bulk, none] = readHistogramLog(log());
  const cells = (histogram: Histogram | undefined) => histogram?.toJSON().cells;
  assert.equal(cells(high?.histogram), of(THOUSAND).toJSON().cells);
  assert.equal(cells(bulk?.histogram), of([2 ** 39 + 12_345]).toJSON().cells);
  assert.is(bulk?.tag, 'bulk_far');
  assert.is(bulk?.endMs, START + 1_500);
  assert.is(none?.histogram.count, 0);
});

test.run();
