// The dashboard for Grafana against docs/metrics.md, which other tests compare with what programs say: names, labels, places.
// In: two files. Out: nothing is started.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { STAGES } from '../../stack/sojourn.js';
import { documented } from './exposition-text.js';

interface Panel {
  id: number;
  title: string;
  type: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}

interface Dashboard {
  panels: Panel[];
  templating: { list: { query: string }[] };
}

const GRAFANA = new URL('../../../docs/grafana/qstack.json', import.meta.url);
const { panels, templating } = JSON.parse(readFileSync(GRAFANA, 'utf8')) as Dashboard;
const targets = panels.flatMap(({ title, targets: all = [] }) => all.map((target) => ({ ...target, title })));
const queries = [...targets.map(({ expr }) => expr), ...templating.list.map(({ query }) => query)];

const tables = ['', 'mcc', 'monitor'].map(documented);
const families = tables.flatMap((table) => table.families);
const labelsOf = new Map(tables.flatMap(({ labels }) => [...labels]));

/** The metric that a series belongs to; undefined: there is none. */
function metricOf(series: string): string | undefined {
  const base = series.replace(/_(bucket|sum|count)$/, '');
  return families.find(({ name, type }) => (type === 'histogram' ? name === base && series !== base : name === series))
    ?.name;
}

const seriesIn = (query: string) => [...query.matchAll(/\b(qstack_\w+|process_\w+)/g)].map(([series]) => series);

test('each query asks for one metric, which is there', () => {
  assert.ok(queries.length > 60);
  for (const query of queries.filter((one) => one !== 'prometheus')) {
    const series = seriesIn(query);
    assert.is(series.length, 1, query);
    assert.ok(metricOf(series[0] ?? ''), query);
  }
});

test('labels that are compared, kept or written in a legend are those of the metric', () => {
  for (const { expr, legendFormat, title } of targets) {
    const [series = ''] = seriesIn(expr);
    const known = ['instance', ...(labelsOf.get(metricOf(series) ?? '') ?? [])];
    if (series.endsWith('_bucket')) known.push('le');
    const compared = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label = '']) => label);
    const kept = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
    const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
    for (const label of [...compared, ...kept, ...legend]) assert.ok(known.includes(label), `${title}: ${label}`);
    assert.ok(compared.includes('instance'), `${title}: the instance cannot be chosen`);
    // What a sum does not keep is not there to be written.
    if (expr.includes(' by (')) for (const label of legend) assert.ok(kept.includes(label), `${title}: ${label}`);
    for (const [, stage = ''] of expr.matchAll(/stage="(\w+)"/g))
      assert.ok(
        STAGES.some((one) => one === stage),
        stage,
      );
  }
});

test('what mcc and the monitor tell has its panel, metric by metric', () => {
  const shown = new Set(targets.flatMap(({ expr }) => seriesIn(expr).map(metricOf)));
  const told = families.map(({ name }) => name).filter((name) => /^qstack_(mcc|monitor)_/.test(name));
  assert.ok(told.length > 30);
  assert.equal(
    told.filter((name) => !shown.has(name)),
    [],
  );
});

test('panels have numbers of their own, lie beside each other on 24 columns, and each program has its row', () => {
  assert.is(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { title, gridPos } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let cell = 0; cell < gridPos.w * gridPos.h; cell += 1) {
      const place = `${gridPos.x + (cell % gridPos.w)},${gridPos.y + Math.floor(cell / gridPos.w)}`;
      assert.not(taken.has(place), `${title} lies on another panel`);
      taken.add(place);
    }
  }
  assert.equal(
    panels.filter(({ type }) => type === 'row').map(({ title }) => title),
    ['Server', 'Generator (mcc)', 'Wire (monitor)'],
  );
});

test.run();
