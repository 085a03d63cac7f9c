// Plots: where values stand on an axis, what is marked, and that a chart is whole and safe to put into a page.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { linearAxis, logAxis, percentileAxis, percentText, timeAxis } from '../../tools/plot/axis.js';
import { lineChart } from '../../tools/plot/line-chart.js';
import { clockText, shortCount } from '../../tools/plot/text.js';

const texts = (axis: { marks: readonly { text: string }[] }) => axis.marks.map(({ text }) => text);

test('a linear axis goes from 0 to a round number that no value exceeds', () => {
  const axis = linearAxis([3, 1_730], shortCount);
  assert.equal(texts(axis), ['0', '500', '1 k', '1.5 k', '2 k']);
  assert.is(axis.share(1_000), 0.5);
  assert.equal(texts(linearAxis([], shortCount)), ['0', '1']);
});

test('a logarithmic axis holds every value between two marks, also where all are the same', () => {
  const axis = logAxis([12, 95_000], String);
  assert.is(axis.share(10), 0);
  assert.is(axis.share(100_000), 1);
  assert.is(Math.round(axis.share(1_000) * 100), 50);
  for (const values of [[10], [100_000], [7, 7], []]) {
    const { marks } = logAxis(values, String);
    assert.ok(marks.length >= 2 && marks[0]?.share === 0 && marks.at(-1)?.share === 1, String(values));
  }
});

test('on the axis of percentiles each nine is as far from the next', () => {
  const axis = percentileAxis(1 / 10_000);
  assert.equal(texts(axis), ['0 %', '50 %', '90 %', '99 %', '99.9 %', '99.99 %']);
  assert.equal(
    [0, 0.9, 0.99, 0.999, 0.9999].map((share) => Math.round(axis.share(share) * 100)),
    [0, 25, 50, 75, 100],
  );
  assert.is(axis.share(1), 1);
  assert.equal([0, 0.128, 0.5, 0.99987].map(percentText), ['0 %', '12.8 %', '50 %', '99.987 %']);
});

test('time is marked at round steps, in the units that it takes', () => {
  assert.equal(texts(timeAxis(0, 10, clockText)), ['0 s', '2 s', '4 s', '6 s', '8 s', '10 s']);
  assert.equal(texts(timeAxis(100, 400, clockText)), ['0 s', '1:00', '2:00', '3:00', '4:00', '5:00']);
  assert.is(clockText(3_725), '1:02:05');
});

test('a chart draws each line in one piece between gaps, and says its values to the script', () => {
  const point = (x: number) => ({ x, y: x, text: `<${x}>` });
  const x = linearAxis([4], String);
  const lines = [{ name: 'a & b', look: 's0', points: [point(0), point(1), undefined, point(3), point(4)] }];
  const html = lineChart({ title: 'T < U', x, y: x, lines, bounds: [[2, 'second']] });
  assert.is(html.match(/<polyline/g)?.length, 2);
  assert.match(html, /T &lt; U/);
  assert.match(html, /a &amp; b/);
  assert.match(html, /class="bound"/);
  const data = JSON.parse(/<script type="application\/json">(.*)<\/script>/.exec(html)?.[1] ?? '');
  assert.equal(data[0].text, ['<0>', '<1>', '<3>', '<4>']);
  assert.not.match(html, /<1>/);
});

test('texts that would touch are left out', () => {
  const x = { share: (value: number) => value, marks: [0, 0.01, 1].map((share) => ({ share, text: 'a long text' })) };
  const html = lineChart({ title: '', x, y: linearAxis([1], String), lines: [] });
  assert.is(html.match(/>a long text</g)?.length, 2);
});

test.run();
