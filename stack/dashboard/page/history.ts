// History: the snapshots of the last minutes and the part of them that is shown.
// In: snapshots as they come; zoom and moves. Out: those that are shown, and series of numbers over them.
// Invariant: without a zoom the end of the time shown is now; with one it stays where it was put.
import type { Snapshot } from '../snapshot.js';

const KEPT = 300;
const NARROWEST_S = 5;

export class History {
  /** Seconds shown while nothing is zoomed. */
  windowS = 300;
  private all: Snapshot[] = [];
  private zoom: { from: number; to: number } | null = null;

  add(snapshots: readonly Snapshot[]): void {
    // A program that was started anew counts from 1 again.
    const first = snapshots[0];
    if (first !== undefined && first.number <= this.lastNumber) this.all = [];
    this.all.push(...snapshots);
    this.all.splice(0, Math.max(0, this.all.length - KEPT));
  }

  get lastNumber(): number {
    return this.all.at(-1)?.number ?? 0;
  }

  get last(): Snapshot | undefined {
    return this.all.at(-1);
  }

  get isZoomed(): boolean {
    return this.zoom !== null;
  }

  /** In seconds since the epoch, as the charts' x. */
  get range(): { from: number; to: number } {
    if (this.zoom !== null) return this.zoom;
    const to = (this.last?.at_ms ?? Date.now()) / 1_000;
    const first = (this.all[0]?.at_ms ?? 0) / 1_000;
    return { from: Math.max(to - this.windowS, Math.min(first, to - NARROWEST_S)), to };
  }

  get shown(): Snapshot[] {
    const { from, to } = this.range;
    return this.all.filter(({ at_ms }) => at_ms / 1_000 >= from && at_ms / 1_000 <= to);
  }

  /** The newest one that is shown: what tables are about. */
  get current(): Snapshot | undefined {
    return this.shown.at(-1) ?? this.last;
  }

  zoomTo(from: number, to: number): void {
    if (to - from >= 1) this.zoom = { from, to };
  }

  zoomOut(): void {
    this.zoom = null;
  }

  /** Below 1: nearer. */
  zoomBy(factor: number): void {
    const { from, to } = this.range;
    const half = Math.max(NARROWEST_S / 2, ((to - from) / 2) * factor);
    const middle = (from + to) / 2;
    if (half * 2 >= KEPT) this.zoom = null;
    else this.zoom = { from: middle - half, to: middle + half };
  }

  /** By a share of what is shown. */
  move(share: number): void {
    const { from, to } = this.range;
    const by = (to - from) * share;
    const end = (this.last?.at_ms ?? 0) / 1_000;
    if (to + by >= end && by > 0) this.zoom = null;
    else this.zoom = { from: from + by, to: to + by };
  }
}
