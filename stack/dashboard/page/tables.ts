// Tables: rows of figures as HTML tables. In: columns and rows. Out: elements. Text is never parsed as HTML, so that a rule
// or a name from outside cannot become a part of the page.

export interface Column<R> {
  head: string;
  cell: (row: R) => string | Node;
  kind?: 'text' | 'rule' | 'bar' | 'name';
  /** Left out on a phone. */
  optional?: boolean;
}

export function element(tag: string, className = '', text = ''): HTMLElement {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

function classOf({ kind, optional }: { kind?: string; optional?: boolean }): string {
  return [kind === 'name' ? 'name text' : (kind ?? ''), optional ? 'optional' : ''].join(' ').trim();
}

/** `share`: 0 to 1. */
export function bar(share: number, fill: string): HTMLElement {
  const outside = element('meter-bar');
  const inside = element('i');
  inside.style.width = `${Math.round(Math.min(1, Math.max(0, share)) * 1_000) / 10}%`;
  inside.style.background = fill;
  outside.append(inside);
  return outside;
}

export function dotted(name: string, fill: string): HTMLElement {
  const outside = element('span');
  const dot = element('span', 'dot');
  dot.style.background = fill;
  outside.append(dot, name);
  return outside;
}

/** In the place of what stood there. */
export function showTable<R>(host: Element, columns: readonly Column<R>[], rows: readonly R[], empty: string): void {
  if (rows.length === 0) {
    host.replaceChildren(element('p', 'empty', empty));
    return;
  }
  const table = element('table');
  const head = element('tr');
  for (const column of columns) {
    const cell = element('th', classOf(column), column.head);
    cell.setAttribute('scope', 'col');
    head.append(cell);
  }
  const top = element('thead');
  top.append(head);
  const body = element('tbody');
  for (const row of rows) body.append(rowOf(columns, row));
  table.append(top, body);
  host.replaceChildren(table);
}

function rowOf<R>(columns: readonly Column<R>[], row: R): HTMLElement {
  const line = element('tr');
  for (const column of columns) {
    const cell = element('td', classOf(column));
    cell.append(column.cell(row));
    line.append(cell);
  }
  return line;
}
