// The keys that `redis` asks for, as redis-benchmark makes them of `__rand_int__`.
export const KEYS = 1_000;
export const VALUE_BYTES = 32;

export function keyOf(index: number): string {
  return `bench:${String(index).padStart(12, '0')}`;
}
