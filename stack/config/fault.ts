// Faults: what is wrong with a configuration, as sentences that a person can act on.
// All faults of a configuration are reported at once, one per line: `path:line: key: fault; accepted range`.

/** A value and where it was written. `where` is `path:line`, `--flag`, or the name of an object. */
export interface Entry {
  key: string;
  text: string;
  where: string;
}

export interface Fault {
  where: string;
  /** Empty when the fault is not about one key. */
  key: string;
  fault: string;
  /** What would have been accepted; empty when there is nothing to say. */
  accepts: string;
}

export function formatFault({ where, key, fault, accepts }: Fault): string {
  return [where, ...(key === '' ? [] : [key]), accepts === '' ? fault : `${fault}; ${accepts}`].join(': ');
}

/** Number of single-character edits (insert, remove, change, swap of neighbours) between two words. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) row.push(cheapest(rows, row, a, b, i, j));
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}

function cheapest(rows: number[][], row: number[], a: string, b: string, i: number, j: number): number {
  const above = rows[i - 1] as number[];
  const same = a[i - 1] === b[j - 1] ? 0 : 1;
  const best = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + same);
  const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
  return swapped ? Math.min(best, ((rows[i - 2] as number[])[j - 2] as number) + 1) : best;
}

/** The known word that was probably meant, if one is near enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = word.toLowerCase().replaceAll('-', '_');
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(plain, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** ` (did you mean "x"?)` or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return meant === undefined ? '' : ` (did you mean "${meant}"?)`;
}
