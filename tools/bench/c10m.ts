import type { Benchmark } from './benchmark.js';
export const c10m: Benchmark = {
  name: 'c10m',
  what: '',
  measure: async () => ({ rows: [], values: {}, charts: [], notes: [] }),
};
