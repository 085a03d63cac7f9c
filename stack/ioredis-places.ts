// Places for replies in a block that JavaScript has made: the twin of native/redis/place_heap.hh.
// In: lengths. Out: numbered places of four sizes. Invariant: a place is given to one holder until its number comes back.
const SIZES = [256, 4 * 1_024, 64 * 1_024, 512 * 1_024] as const;
const SIZE_SHIFT = 28;

export class ReplyPlaces {
  private readonly bases: number[] = [];
  private readonly free: number[][];
  /** Behind the last place. */
  readonly end: number;
  inUse = 0;

  /** `counts`: how many of each size. */
  constructor(at: number, counts: readonly [number, number, number, number]) {
    let base = at;
    this.free = counts.map((count, which) => {
      this.bases.push(base);
      base += count * (SIZES[which] as number);
      return Array.from({ length: count }, (_, i) => count - 1 - i);
    });
    this.end = base;
  }

  /** Undefined: it is too long, or there is none. */
  allocate(length: number): { id: number; at: number } | undefined {
    for (const [which, size] of SIZES.entries()) {
      if (length > size) continue;
      const index = this.free[which]?.pop();
      if (index === undefined) continue;
      this.inUse++;
      return { id: which * 2 ** SIZE_SHIFT + index, at: (this.bases[which] as number) + index * size };
    }
    return undefined;
  }

  release(id: number): void {
    this.free[id >>> SIZE_SHIFT]?.push(id & (2 ** SIZE_SHIFT - 1));
    this.inUse--;
  }
}
