// What callgrind has counted, from its output file.
// In: the file's text (the manual's "Callgrind Format Specification"). Out: of each function the instructions of its own, and of
// its calls by callee. A function has several blocks, one for each place that it was seen from; its name stands in the first
// `fn=(id) name` or `cfn=(id) name`, and everywhere else there is only the id.

export interface FunctionCost {
  self: number;
  /** Instructions in calls, what was called from there included. */
  readonly calls: Map<string, number>;
}

export type Costs = ReadonlyMap<string, FunctionCost>;

/** Positions may be relative; an event count that is left out is 0. */
const COST = /^(?:[+-]?\d+|\*)(?: (\d+))?/;
const FUNCTION = /^(c?)fn=(?:\((\d+)\))?(?: ?(.+))?$/;

function checkHeader(text: string): void {
  if (/^positions: line$/m.test(text) && /^events: Ir\b/m.test(text)) return;
  throw new Error('this is no output of callgrind with positions by line and instructions as the first event');
}

export function readCallgrind(text: string): Costs {
  checkHeader(text);
  const names = new Map<string, string>();
  const costs = new Map<string, FunctionCost>();
  let current: FunctionCost | undefined;
  let callee = '';
  let isCall = false;
  for (const line of text.split('\n')) {
    const named = FUNCTION.exec(line);
    const cost = COST.exec(line);
    if (named !== null) {
      const [, called, id = '', name = names.get(id) ?? id] = named;
      if (id !== '') names.set(id, name);
      if (called === 'c') callee = name;
      else {
        current = costs.get(name) ?? { self: 0, calls: new Map() };
        costs.set(name, current);
      }
    } else if (line.startsWith('calls=')) isCall = true;
    else if (cost !== null && current !== undefined) {
      const instructions = Number(cost[1] ?? 0);
      if (isCall) current.calls.set(callee, (current.calls.get(callee) ?? 0) + instructions);
      else current.self += instructions;
      isCall = false;
    }
  }
  return costs;
}

/** Of all functions that are parts of one thing, as a compiler may have cut it: calls from one part to another count once. */
export function inclusive(costs: Costs, isPart: (name: string) => boolean): number {
  let sum = 0;
  for (const [name, { self, calls }] of costs) {
    if (!isPart(name)) continue;
    sum += self;
    for (const [callee, instructions] of calls) if (!isPart(callee)) sum += instructions;
  }
  return sum;
}
