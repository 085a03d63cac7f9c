// The largest functions of a thread, a kind of packet, or whatever else costs were counted for.
// In: a cost by function. Out: the first few with their share, as text or for JSON.

/** Templates of templates have names of kilobytes. */
const NAME_LENGTH_MAX = 110;

export interface Profile {
  /** Whose costs they are, such as a thread. */
  readonly name: string;
  readonly costs: ReadonlyMap<string, number>;
}

export interface Share {
  readonly function: string;
  readonly cost: number;
  readonly percent: number;
}

export function sumOf({ costs }: Profile): number {
  return [...costs.values()].reduce((sum, cost) => sum + cost, 0);
}

/** Adds to the cost of one function. */
export function addCost(costs: Map<string, number>, name: string, cost: number): void {
  costs.set(name, (costs.get(name) ?? 0) + cost);
}

const tenths = (value: number) => Math.round(value * 10) / 10;

export function largest(profile: Profile, top: number): Share[] {
  const sum = sumOf(profile);
  return [...profile.costs]
    .sort(([, a], [, b]) => b - a)
    .slice(0, top)
    .map(([name, cost]) => ({ function: name, cost: tenths(cost), percent: tenths((cost / sum) * 100) }));
}

const shortened = (name: string) => (name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)} …` : name);

/** A paragraph: whose they are and how much in all, then a line for each function. */
export function largestText(profile: Profile, top: number, format: (cost: number) => string): string {
  const lines = largest(profile, top).map(
    ({ function: name, cost, percent }) =>
      `  ${percent.toFixed(1).padStart(5)} %  ${format(cost).padStart(10)}  ${shortened(name)}`,
  );
  return [`${profile.name}: ${format(sumOf(profile))}`, ...lines].join('\n');
}

/** A C++ name without what nobody reads: our namespace, the parameters, what the compiler made of it. */
export function shortName(name: string): string {
  return name
    .replace(/( \[clone [^\]]*\])+$/, '')
    .replaceAll('(anonymous namespace)::', '')
    .replace(/\([^()]*\)( const)?$/, '')
    .replaceAll('qstack::', '');
}
