// Panels: what each part of the page shows of the snapshots. In: the history. Out: charts and tables, drawn again.
// A panel whose figures the program does not have stays hidden: the page is the same for a server, mcc and the monitor.
import type { Count, RedisShard, Snapshot, StageFigures } from '../snapshot.js';
import { Chart, type Line } from './charts.js';
import { formatCount, formatShare, formatUs } from './format.js';
import type { History } from './history.js';
import { bar, dotted, element, showTable } from './tables.js';
import { color } from './theme.js';
import { type Words, wordsOf } from './words.js';

const QUANTILES = [0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999];
/** Logarithmic bars: from a microsecond to ten seconds. */
const DECADES_US = 7;
const STAGE_NAMES: Readonly<Record<string, string>> = { wire: 'wire (all of it)' };

const part = (id: string, inside: string) => document.querySelector(`#${id} ${inside}`) as HTMLElement;

function show(id: string, isThere: boolean): boolean {
  (document.getElementById(id) as HTMLElement).hidden = !isThere;
  return isThere;
}

function namePanels({ panels }: Words): void {
  for (const [id, { heading, note }] of Object.entries(panels)) {
    part(id, 'h2').textContent = heading;
    if (note !== undefined) part(id, '.note').textContent = note;
  }
}

const levelColor = (snapshot: Snapshot, level: string) =>
  color(`level-${Math.max(0, snapshot.levels.indexOf(level)) % 8}`);
const logShare = (us: number) => Math.log10(Math.max(1, us)) / DECADES_US;
const perSecond = (value: number) => `${formatCount(value)}/s`;

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

function drawTables(current: Snapshot, shown: Snapshot[]): void {
  drawStages(current);
  drawOverload(current);
  drawCpu(current);
  drawQueues(current);
  drawDrops(current, shown);
  drawCounts(current);
  drawTalkers(current);
}

function drawStages(current: Snapshot): void {
  if (!show('stages', current.stages !== undefined)) return;
  showTable<StageFigures>(
    part('stages', '.table'),
    [
      { head: 'stage', kind: 'text', cell: ({ stage }) => stage },
      { head: 'level', kind: 'text', cell: ({ level }) => dotted(level, levelColor(current, level)) },
      { head: 'a second', cell: ({ count }) => formatCount(count / current.interval_s), optional: true },
      { head: 'p50', cell: ({ p50_us }) => formatUs(p50_us) },
      { head: 'p99', cell: ({ p99_us }) => formatUs(p99_us) },
      { head: 'p99.9', cell: ({ p999_us }) => formatUs(p999_us), optional: true },
      { head: '', kind: 'bar', cell: ({ p99_us, level }) => bar(logShare(p99_us), levelColor(current, level)) },
    ],
    current.stages ?? [],
    'No message in this second.',
  );
}

function drawOverload(current: Snapshot): void {
  const kinds = [...new Set(current.rates?.flatMap(({ more }) => Object.keys(more)) ?? [])];
  if (!show('overload', kinds.length > 0)) return;
  showTable(
    part('overload', '.table'),
    [
      { head: 'level', kind: 'text', cell: ({ level }) => dotted(level, levelColor(current, level)) },
      ...kinds.map((kind) => ({
        head: kind.replace('_per_s', '').replaceAll('_', ' '),
        cell: ({ more }: { more: Record<string, number> }) => perSecond(more[kind] ?? 0),
      })),
    ],
    current.rates ?? [],
    '',
  );
}

function drawCpu(current: Snapshot): void {
  if (!show('cpu', current.cores !== undefined)) return;
  const cores = (current.cores ?? []).map(({ core, busy, steal }) => ({
    name: `core ${core}`,
    where: steal > 0.005 ? `steal ${formatShare(steal)}` : '',
    busy,
    own: false,
  }));
  const threads = [...(current.threads ?? [])]
    .sort((a, b) => b.busy - a.busy)
    .slice(0, 12)
    .map(({ thread, busy, core }) => ({ name: thread, where: `on ${core}`, busy, own: true }));
  showTable(
    part('cpu', '.table'),
    [
      { head: '', kind: 'name', cell: ({ name }) => name },
      { head: '', cell: ({ where }) => where, optional: true },
      { head: 'busy', cell: ({ busy }) => formatShare(busy) },
      { head: '', kind: 'bar', cell: ({ busy, own }) => bar(busy, color(own ? 'accent' : 'dim')) },
    ],
    [...cores, ...threads],
    '',
  );
}

function drawQueues(current: Snapshot): void {
  if (!show('queues', current.queues !== undefined)) return;
  showTable(
    part('queues', '.table'),
    [
      { head: 'queue', kind: 'text', cell: ({ queue }) => queue },
      {
        head: 'level',
        kind: 'text',
        cell: ({ level }) => (level === '' ? '' : dotted(level, levelColor(current, level))),
      },
      { head: 'depth', cell: ({ depth }) => formatCount(depth) },
      { head: 'of', cell: ({ capacity }) => formatCount(capacity), optional: true },
      { head: '', kind: 'bar', cell: ({ depth, capacity }) => bar(depth / capacity, color('accent')) },
    ],
    current.queues ?? [],
    '',
  );
}

function drawDrops(current: Snapshot, shown: Snapshot[]): void {
  if (!show('drops', current.drops !== undefined)) return;
  const sums = new Map<string, number>();
  for (const { drops = {}, interval_s } of shown) {
    for (const [reason, perS] of Object.entries(drops)) sums.set(reason, (sums.get(reason) ?? 0) + perS * interval_s);
  }
  showTable(
    part('drops', '.table'),
    [
      { head: 'reason', kind: 'text', cell: ([reason]) => reason.replaceAll('_', ' ') },
      { head: 'now', cell: ([reason]) => perSecond(current.drops?.[reason] ?? 0) },
      { head: 'in all', cell: ([, sum]) => formatCount(Math.round(sum)) },
    ],
    [...sums].sort((a, b) => b[1] - a[1]),
    wordsOf(current.program.name).nothingDropped,
  );
}

function drawCounts({ counts = [] }: Snapshot): void {
  if (!show('counts', counts.length > 0)) return;
  showTable<Count>(
    part('counts', '.table'),
    [
      { head: '', kind: 'text', cell: ({ what }) => what.replaceAll('_', ' ') },
      { head: 'now', cell: ({ per_s }) => perSecond(per_s) },
      { head: 'in all', cell: ({ total }) => formatCount(total) },
    ],
    counts,
    '',
  );
}

function drawTalkers(current: Snapshot): void {
  if (show('busiest', current.busiest !== undefined)) {
    showTable(
      part('busiest', '.table'),
      [
        { head: 'peer', kind: 'name', cell: ({ remote }) => remote },
        {
          head: 'by level',
          kind: 'text',
          cell: ({ levels }) =>
            Object.entries(levels)
              .map(([level, n]) => `${level} ${n}`)
              .join(', '),
          optional: true,
        },
        { head: 'messages', cell: ({ messages }) => formatCount(messages) },
        { head: 'share', cell: ({ share }) => formatShare(share) },
      ],
      current.busiest ?? [],
      'No message in this second.',
    );
  }
  if (!show('slowest', current.slowest !== undefined)) return;
  showTable(
    part('slowest', '.table'),
    [
      { head: 'peer', kind: 'name', cell: ({ remote }) => remote },
      { head: 'level', kind: 'text', cell: ({ level }) => dotted(level, levelColor(current, level)) },
      { head: 'took', cell: ({ took_us }) => formatUs(took_us) },
    ],
    current.slowest ?? [],
    'No reply in this second.',
  );
}
