// Panels: what each part of the page shows of the snapshots; those of charts are here, the others in panel-tables.ts.
// In: the history. Out: charts and tables, drawn again.
// A panel whose figures the program does not have stays hidden: the page is the same for a server, mcc and the monitor.
import type { RedisShard, Snapshot, StageFigures } from '../snapshot.js';
import { Chart, type Line } from './charts.js';
import { formatCount, formatUs } from './format.js';
import type { History } from './history.js';
import { levelColor, part, perSecond, show } from './panel.js';
import { drawTables } from './panel-tables.js';
import { element, showTable } from './tables.js';
import { color } from './theme.js';
import { type Words, wordsOf } from './words.js';

const QUANTILES = [0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999];
const STAGE_NAMES: Readonly<Record<string, string>> = { wire: 'wire (all of it)' };

function namePanels({ panels }: Words): void {
  for (const [id, { heading, note }] of Object.entries(panels)) {
    part(id, 'h2').textContent = heading;
    if (note !== undefined) part(id, '.note').textContent = note;
  }
}

/** Of pairs of value and count in rising order. */
function valueAt(sorted: readonly (readonly [number, number])[], rank: number): number | null {
  let seen = 0;
  for (const [value, count] of sorted) {
    seen += count;
    if (seen >= rank) return value;
  }
  return null;
}

function quantilesOf(cells: Map<number, number>): { xs: number[]; us: (number | null)[] } {
  const sorted = [...cells].sort((a, b) => a[0] - b[0]);
  const count = sorted.reduce((sum, [, n]) => sum + n, 0);
  const us = QUANTILES.map((quantile) => {
    // A percentile is there when at least one value lies beyond it.
    if (count === 0 || (1 - quantile) * count < 0.5) return null;
    return valueAt(sorted, Math.max(1, quantile * count));
  });
  return { xs: QUANTILES.map((quantile) => 1 / (1 - quantile)), us };
}

export class Panels {
  stage = '';
  private program = '';
  private readonly history: History;
  private readonly latency: Chart;
  private readonly spectrum: Chart;
  private readonly rates: Chart;
  private readonly connections: Chart;
  private readonly redis: Chart;

  constructor(history: History, redraw: () => void) {
    this.history = history;
    const zoom = {
      onZoom: (from: number, to: number) => {
        history.zoomTo(from, to);
        redraw();
      },
      onZoomOut: () => {
        history.zoomOut();
        redraw();
      },
    };
    this.latency = new Chart(part('latency', '.chart'), { ...zoom, format: formatUs, logarithmic: true, height: 260 });
    this.spectrum = new Chart(part('spectrum', '.chart'), {
      format: formatUs,
      logarithmic: true,
      height: 260,
      xValues: (xs) => xs.map((x) => `${Number((100 * (1 - 1 / 10 ** x)).toFixed(3))}%`),
      xSplits: [Math.log10(2), 1, 2, 3, 4, 5],
    });
    this.rates = new Chart(part('rates', '.chart'), { ...zoom, format: formatCount });
    this.connections = new Chart(part('connections', '.chart'), { ...zoom, format: formatCount });
    this.redis = new Chart(part('redis', '.chart'), { ...zoom, format: formatUs, logarithmic: true, height: 160 });
  }

  /** Colours have changed. */
  forget(): void {
    for (const chart of [this.latency, this.spectrum, this.rates, this.connections, this.redis]) chart.forget();
  }

  draw(): void {
    const { shown, current } = this.history;
    if (current === undefined) return;
    if (current.program.name !== this.program) namePanels(wordsOf(current.program.name));
    this.program = current.program.name;
    const xs = shown.map(({ at_ms }) => at_ms / 1_000);
    this.drawLatency(current, shown, xs);
    this.drawSpectrum(current, shown);
    this.drawRates(current, shown, xs);
    this.drawConnections(current, shown, xs);
    this.drawRedis(current, shown, xs);
    drawTables(current, shown);
  }

  private drawLatency(current: Snapshot, shown: Snapshot[], xs: number[]): void {
    const stages = [...new Set(shown.flatMap(({ stages: all = [] }) => all.map(({ stage }) => stage)))];
    if (!show('latency', current.stages !== undefined)) return;
    this.offerStages(stages, current.latency_stage ?? '');
    const figure = (snapshot: Snapshot, level: string) =>
      snapshot.stages?.find((one) => one.stage === this.stage && one.level === level);
    const kinds: [name: string, width: number, dashed: boolean, of: (one: StageFigures) => number | undefined][] = [
      ['p50', 1.4, true, (one) => one.p50_us],
      ['p99', 2.2, false, (one) => one.p99_us],
      ['p99.9', 1, false, (one) => one.p999_us],
    ];
    const lines = current.levels.flatMap((level) =>
      kinds.map(
        ([name, width, dashed, of]): Line => ({
          name: `${level} ${name}`,
          color: levelColor(current, level),
          dashed,
          width,
          values: shown.map((snapshot) => {
            const one = figure(snapshot, level);
            return one === undefined ? null : (of(one) ?? null);
          }),
        }),
      ),
    );
    const known = lines.filter(({ values }) => values.some((value) => value !== null));
    this.latency.show(xs, known, this.history.range);
    const said = known.map(({ name, values }) => `${name} ${formatUs(values.findLast((value) => value !== null))}`);
    part('latency', '.chart').setAttribute('aria-label', `Latency by level: ${said.join(', ')}`);
    part('latency', '.note').textContent =
      known.length === 0
        ? 'nothing has passed this stage in the time shown'
        : 'per second, by level: dashed p50, bold p99, thin p99.9';
  }

  private offerStages(stages: readonly string[], whole: string): void {
    const select = document.getElementById('stage') as HTMLSelectElement;
    const options = stages.includes(whole) ? [whole, ...stages.filter((stage) => stage !== whole)] : [...stages];
    if (!options.includes(this.stage)) this.stage = options[0] ?? whole;
    if ([...select.options].map(({ value }) => value).join() !== options.join()) {
      select.replaceChildren(...options.map((stage) => new Option(STAGE_NAMES[stage] ?? stage, stage)));
    }
    select.value = this.stage;
  }

  private drawSpectrum(current: Snapshot, shown: Snapshot[]): void {
    const sums = new Map(current.levels.map((level) => [level, new Map<number, number>()]));
    for (const { spectrum = [] } of shown) {
      for (const { level, cells } of spectrum) {
        const sum = sums.get(level) as Map<number, number>;
        for (let i = 0; i < cells.length; i += 2)
          sum.set(cells[i] as number, (sum.get(cells[i] as number) ?? 0) + (cells[i + 1] as number));
      }
    }
    const lines = [...sums]
      .filter(([, cells]) => cells.size > 0)
      .map(
        ([level, cells]): Line => ({
          name: level,
          color: levelColor(current, level),
          width: 2,
          values: quantilesOf(cells).us,
        }),
      );
    if (
      !show(
        'spectrum',
        shown.some(({ spectrum }) => spectrum !== undefined),
      )
    )
      return;
    const xs = QUANTILES.map((quantile) => Math.log10(1 / (1 - quantile)));
    this.spectrum.show(xs, lines);
    const at99 = lines.map(({ name, values }) => `${name} p99 ${formatUs(values[QUANTILES.indexOf(0.99)])}`);
    part('spectrum', '.chart').setAttribute('aria-label', `Percentile spectrum: ${at99.join(', ')}`);
  }

  private drawRates(current: Snapshot, shown: Snapshot[], xs: number[]): void {
    if (!show('rates', current.rates !== undefined)) return;
    const { offered, answered } = wordsOf(current.program.name);
    const series = (level: string, of: 'offered_per_s' | 'answered_per_s') =>
      shown.map((snapshot) => snapshot.rates?.find((one) => one.level === level)?.[of] ?? null);
    const lines = current.levels.flatMap((level): Line[] => [
      {
        name: `${level} ${offered}`,
        color: levelColor(current, level),
        dashed: true,
        width: 1.4,
        values: series(level, 'offered_per_s'),
      },
      {
        name: `${level} ${answered}`,
        color: levelColor(current, level),
        width: 2,
        values: series(level, 'answered_per_s'),
      },
    ]);
    this.rates.show(xs, lines, this.history.range);
    part('rates', '.chart').setAttribute(
      'aria-label',
      `Rates: ${lines.map(({ name, values }) => `${name} ${perSecond(values.at(-1) ?? 0)}`).join(', ')}`,
    );
  }

  private drawConnections(current: Snapshot, shown: Snapshot[], xs: number[]): void {
    if (!show('connections', current.connections !== undefined)) return;
    const lines: Line[] = [
      {
        name: 'open',
        color: color('accent'),
        width: 2,
        values: shown.map(({ connections }) => connections?.open ?? null),
      },
    ];
    this.connections.show(xs, lines, this.history.range);
    part('connections', '.chart').setAttribute(
      'aria-label',
      `Connections open: ${formatCount(current.connections?.open)}`,
    );
  }

  private drawRedis(current: Snapshot, shown: Snapshot[], xs: number[]): void {
    const { redis = [] } = current;
    if (!show('redis', redis.length > 0)) return;
    const lines = redis.map(
      ({ server }, index): Line => ({
        name: shortServer(server),
        color: color(`level-${index % 8}`),
        values: shown.map((snapshot) => {
          const shard = snapshot.redis?.[index];
          return shard === undefined || shard.p99_us === 0 ? null : shard.p99_us;
        }),
      }),
    );
    this.redis.show(xs, lines, this.history.range);
    part('redis', '.chart').setAttribute(
      'aria-label',
      `Redis latency: ${redis.map(({ server, p99_us }) => `${server} p99 ${formatUs(p99_us)}`).join(', ')}`,
    );
    showTable<RedisShard>(
      part('redis', '.table'),
      [
        {
          head: 'server',
          kind: 'name',
          cell: ({ server, connected }) =>
            connected ? shortServer(server) : element('span', 'bad-text', `${shortServer(server)} is away`),
        },
        { head: 'replies', cell: ({ replied_per_s }) => perSecond(replied_per_s) },
        { head: 'p50', cell: ({ p50_us }) => formatUs(p50_us), optional: true },
        { head: 'p99', cell: ({ p99_us }) => formatUs(p99_us) },
        { head: 'waiting', cell: ({ waiting }) => formatCount(waiting), optional: true },
        { head: 'failed', cell: ({ errors_per_s, timeouts_per_s }) => perSecond(errors_per_s + timeouts_per_s) },
      ],
      redis,
      '',
    );
  }
}

/** The last part of a socket's path. */
function shortServer(server: string): string {
  return server.startsWith('/') ? server.slice(server.lastIndexOf('/') + 1) : server;
}
