// The text of /metrics as tests read it. In: text, docs/metrics.md. Out: families and values; an error for a line that is none.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';

export const METRICS_PAGE = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');

export interface Family {
  name: string;
  type: string;
  help: string;
}

const SAMPLE =
  /^([a-z_:][\w:]*)(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? (-?[\d.]+(?:e[+-]?\d+)?|NaN|\+Inf)$/;

export function familiesOf(text: string): Family[] {
  return [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE (\S+) (\S+)$/gm)].map(
    ([, name = '', help = '', same, type = '']) => {
      assert.is(same, name);
      return { name, type, help };
    },
  );
}

export function valueFor(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  assert.ok(line, series);
  return Number(line?.slice(series.length));
}

/** Every line is a comment or a sample of a family that was announced once. */
export function assertExposition(text: string): void {
  assert.ok(text.endsWith('\n'));
  const families = familiesOf(text);
  assert.is(new Set(families.map(({ name }) => name)).size, families.length);
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('# ')) continue;
    const name = SAMPLE.exec(line)?.[1] ?? '';
    const family = families.find(
      (one) => one.name === name || (one.type === 'histogram' && name.startsWith(`${one.name}_`)),
    );
    assert.ok(family, line);
    if (family?.type === 'counter') assert.match(name, /_total$/);
  }
}

/** The table of one program in docs/metrics.md; '' is a server. Labels by metric. */
export function documented(program: string): { families: Family[]; labels: Map<string, string[]> } {
  const mark = program === '' ? '' : ` \\(${program}\\)`;
  const rows = [
    ...METRICS_PAGE.matchAll(new RegExp(`^\\| \`(\\w+)\`${mark} \\| (\\w+) \\| (.*?) ?\\| (.*) \\|$`, 'gm')),
  ];
  return {
    families: rows.map(([, name = '', type = '', , help = '']) => ({ name, type, help })),
    labels: new Map(
      rows.map(([, name = '', , list = '']) => [name, [...list.matchAll(/`(\w+)`/g)].map(([, label = '']) => label)]),
    ),
  };
}

/** Every sample has the labels of its metric's row, in their order. */
export function assertLabels(text: string, labels: ReadonlyMap<string, readonly string[]>): void {
  for (const [, name = '', inside = ''] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
    const used = [...inside.matchAll(/(?:^|,)(\w+)="/g)].map(([, label]) => label).filter((label) => label !== 'le');
    const family = labels.get(name) ?? labels.get(name.replace(/_(bucket|sum|count)$/, ''));
    assert.equal(used, family, name);
  }
}
