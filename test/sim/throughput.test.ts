// The table of throughputs (test/sim/throughput.md): measured again, and compared cell by cell. Where TCP has changed on
// purpose, `npm run sim -- --table` writes it anew, and the change is read in the diff. CI measures every cell, else it is
// a third of them.
// watchdog: 240s
import { availableParallelism } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inParallel } from '../../tools/fuzz/lanes.js';
import { cells, differences, markdown, measure, readTable, tableOf } from '../../tools/sim/table.js';

test('throughput by loss, round-trip time and congestion control is what was committed', async () => {
  const values = await inParallel(
    cells(),
    availableParallelism(),
    async (cell) => [cell, await measure(cell)] as const,
  );
  assert.equal(differences(tableOf(values), readTable()), []);
});

test('the table is read as it was written, and a cell that differs is named', () => {
  const committed = tableOf(cells().map((cell, index) => [cell, index + 1] as const));
  assert.equal([...readTable(markdown(committed))], [...committed]);
  const measured = tableOf([[{ congestion: 'cubic', lossPercent: 1, rttMs: 10 }, 0.5]]);
  assert.match(differences(measured, committed)[0] ?? '', /^cubic 1 10: 0\.50 Mbit\/s, committed \d+/);
});

test.run();
