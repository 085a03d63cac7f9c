// Outages: when Redis servers were away, as far as handlers can tell. In: ends and beginnings as they are told. Out: whether one
// of them overlaps a time. After its beginning a server still counts as away: the next try to connect may be a second off, and a
// command that waited for it has a second.

const RECOVERY_MS = 5_000;

export class Outages {
  /** By server: when it ended, while it is away. */
  private readonly open = new Map<number, number>();
  private readonly over: { readonly fromMs: number; readonly toMs: number }[] = [];

  ended(server: number, nowMs: number): void {
    this.open.set(server, nowMs);
  }

  began(server: number, nowMs: number): void {
    const fromMs = this.open.get(server);
    this.open.delete(server);
    if (fromMs !== undefined) this.over.push({ fromMs, toMs: nowMs + RECOVERY_MS });
  }

  overlap(fromMs: number, toMs: number): boolean {
    for (const endedMs of this.open.values()) if (endedMs <= toMs) return true;
    // Most questions are about the last one.
    for (let index = this.over.length - 1; index >= 0; index--) {
      const outage = this.over[index];
      if (outage !== undefined && outage.fromMs <= toMs && fromMs <= outage.toMs) return true;
    }
    return false;
  }
}
