// Slabs: memory of an app thread for bytes that outlive their packet: chunks of one size of slab each.
//
//   arena … │ chunk: 64 B slabs │ chunk: 192 B slabs │ free chunk │ …          a slab's number: its place in steps of 64 B
//
// In: a number of bytes. Out: the number of a slab of the next multiple of 64 B; no memory: -1. Invariant: a chunk whose
// slabs are all free can become one of another size; nothing is allocated after the start. Used by one thread.
const STEP = 64;
const CHUNK_STEPS = 256;
const NONE = -1;
/** Bytes that all have slabs of one size. */
export const SLAB_CHUNK = STEP * CHUNK_STEPS;

export class Slabs {
  /** Slabs in use. */
  used = 0;
  private readonly at: number;
  /** By step: the next free slab of the same chunk. */
  private readonly nextFree: Int32Array;
  /** By chunk: its first free slab, steps of a slab, slabs in use, neighbours in its list. */
  private readonly firstFree: Int32Array;
  private readonly stepsOf: Uint16Array;
  private readonly usedOf: Uint16Array;
  private readonly nextChunk: Int32Array;
  private readonly previousChunk: Int32Array;
  /** By steps of a slab: the first chunk with a free slab; 0: chunks that are free as a whole. */
  private readonly heads = new Int32Array(CHUNK_STEPS + 1).fill(NONE);

  /** `bytes` of the arena from offset `at` on. */
  constructor(at: number, bytes: number) {
    const chunks = Math.floor(bytes / SLAB_CHUNK);
    this.at = at;
    this.nextFree = new Int32Array(chunks * CHUNK_STEPS);
    this.firstFree = new Int32Array(chunks);
    this.stepsOf = new Uint16Array(chunks);
    this.usedOf = new Uint16Array(chunks);
    this.nextChunk = new Int32Array(chunks);
    this.previousChunk = new Int32Array(chunks);
    for (let chunk = chunks - 1; chunk >= 0; chunk--) this.link(0, chunk);
  }

  /** Where a slab's bytes are in the arena. */
  offsetOf(slab: number): number {
    return this.at + slab * STEP;
  }

  allocate(bytes: number): number {
    const steps = Math.max(1, Math.ceil(bytes / STEP));
    if (steps > CHUNK_STEPS) return NONE;
    let chunk = this.heads[steps] as number;
    if (chunk === NONE) {
      chunk = this.heads[0] as number;
      if (chunk === NONE) return NONE;
      this.cut(chunk, steps);
    }
    const slab = this.firstFree[chunk] as number;
    const next = this.nextFree[slab] as number;
    this.firstFree[chunk] = next;
    if (next === NONE) this.unlink(steps, chunk);
    this.usedOf[chunk] = (this.usedOf[chunk] as number) + 1;
    this.used++;
    return slab;
  }

  free(slab: number): void {
    const chunk = Math.floor(slab / CHUNK_STEPS);
    const steps = this.stepsOf[chunk] as number;
    const first = this.firstFree[chunk] as number;
    this.nextFree[slab] = first;
    this.firstFree[chunk] = slab;
    const used = (this.usedOf[chunk] as number) - 1;
    this.usedOf[chunk] = used;
    this.used--;
    if (used === 0) {
      if (first !== NONE) this.unlink(steps, chunk);
      this.link(0, chunk);
    } else if (first === NONE) this.link(steps, chunk);
  }

  /** A free chunk becomes one of slabs of so many steps. */
  private cut(chunk: number, steps: number): void {
    this.unlink(0, chunk);
    this.stepsOf[chunk] = steps;
    const first = chunk * CHUNK_STEPS;
    const end = first + CHUNK_STEPS - (CHUNK_STEPS % steps);
    for (let slab = first; slab < end; slab += steps) this.nextFree[slab] = slab + steps < end ? slab + steps : NONE;
    this.firstFree[chunk] = first;
    this.link(steps, chunk);
  }

  private link(list: number, chunk: number): void {
    const head = this.heads[list] as number;
    this.nextChunk[chunk] = head;
    this.previousChunk[chunk] = NONE;
    if (head !== NONE) this.previousChunk[head] = chunk;
    this.heads[list] = chunk;
  }

  private unlink(list: number, chunk: number): void {
    const next = this.nextChunk[chunk] as number;
    const previous = this.previousChunk[chunk] as number;
    if (next !== NONE) this.previousChunk[next] = previous;
    if (previous === NONE) this.heads[list] = next;
    else this.nextChunk[previous] = next;
  }
}
