// Families of metrics that tools have in common. In: names, meanings and values. Out: what exposition.ts writes.
import type { Family, MetricType } from '../../stack/dashboard/exposition.js';
import type { ProgramFacts } from '../../stack/dashboard/snapshot.js';

/** `qstack_` goes before the name. */
export function family(name: string, type: MetricType, help: string, samples: Family['samples']): Family {
  return { name: `qstack_${name}`, type, help, samples };
}

/** Of a family without labels. */
export function single(name: string, type: MetricType, help: string, value: number): Family {
  return family(name, type, help, [{ labels: {}, value }]);
}

export function buildInfo({ name, version }: ProgramFacts): Family {
  return family('build_info', 'gauge', 'always 1; the program and its versions', [
    { labels: { program: name, version, node: process.versions.node }, value: 1 },
  ]);
}
