// Tiles: the most important figures of now, in a row. In: a snapshot. Out: elements; a tile whose figure the program does not have
// is not there.
import type { Snapshot } from '../snapshot.js';
import { formatBytes, formatCount, formatUs } from './format.js';
import { element } from './tables.js';
import { wordsOf } from './words.js';

interface Tile {
  name: string;
  value: string;
  more?: string;
  bad?: boolean;
}

function tilesOf(current: Snapshot): Tile[] {
  const { connections, rates, redis, drops, program, more = {} } = current;
  const words = wordsOf(program.name);
  const tiles: Tile[] = [];
  if (connections !== undefined)
    tiles.push({
      name: 'connections',
      value: formatCount(connections.open),
      more: `of ${formatCount(connections.capacity)}`,
    });
  if (rates !== undefined) {
    const sum = (of: 'offered_per_s' | 'answered_per_s') => rates.reduce((total, one) => total + one[of], 0);
    tiles.push(
      { name: words.offered, value: formatCount(sum('offered_per_s')), more: '/s' },
      { name: words.answered, value: formatCount(sum('answered_per_s')), more: '/s' },
    );
  }
  for (const level of current.levels.slice(0, 4)) {
    const whole = current.stages?.find((one) => one.stage === current.latency_stage && one.level === level);
    if (current.stages !== undefined) tiles.push({ name: `${level} p99`, value: formatUs(whole?.p99_us) });
  }
  if (drops !== undefined) {
    const sum = Object.values(drops).reduce((total, perS) => total + perS, 0);
    tiles.push({ name: words.dropped, value: formatCount(sum), more: '/s', bad: sum > 0 });
  }
  if (more.retransmits_per_s !== undefined)
    tiles.push({ name: 'retransmits', value: formatCount(more.retransmits_per_s), more: '/s' });
  if (redis !== undefined && redis.length > 0) {
    const up = redis.filter(({ connected }) => connected).length;
    tiles.push({ name: 'Redis', value: `${up}/${redis.length}`, more: 'up', bad: up < redis.length });
  }
  if (more.frames_per_s !== undefined) {
    tiles.push(
      { name: 'frames', value: formatCount(more.frames_per_s), more: '/s' },
      { name: 'at the wire', value: formatBytes(more.frame_bytes_per_s), more: '/s' },
    );
  }
  if (more.rx_bytes_per_s !== undefined) {
    const bytes = (name: string, perS: number | undefined) =>
      tiles.push({ name, value: formatBytes(perS), more: '/s' });
    bytes('received', more.rx_bytes_per_s);
    bytes('sent', more.tx_bytes_per_s);
  }
  if (more.hiccup_p99_us !== undefined) tiles.push({ name: 'hiccup p99', value: formatUs(more.hiccup_p99_us) });
  if (more.resident_bytes !== undefined) tiles.push({ name: 'resident', value: formatBytes(more.resident_bytes) });
  return tiles;
}

export function drawTiles(current: Snapshot): void {
  const host = document.getElementById('tiles') as HTMLElement;
  host.replaceChildren(
    ...tilesOf(current).map(({ name, value, more, bad }) => {
      const tile = element('dl', bad ? 'tile bad' : 'tile');
      const figure = element('dd', '', value);
      if (more !== undefined) figure.append(' ', element('small', '', more));
      tile.append(element('dt', '', name), figure);
      return tile;
    }),
  );
}
