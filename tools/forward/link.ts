// Link: whether the server's end of the device is there, and who waits for it.
// In: a look at the stack, ten times a second. Out: `changed` at each change, and whenUp(). A memif link is down while the
// server is not running, or while another program has it; and as long as nobody watches it.
const PERIOD_MS = 100;

export class Link {
  private up = false;
  private readonly waiting = new Set<() => void>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly isUp: () => boolean,
    private readonly changed: (up: boolean) => void,
  ) {}

  watch(): void {
    this.timer = setInterval(() => this.look(), PERIOD_MS);
    this.look();
  }

  get isDown(): boolean {
    return !this.up;
  }

  private look(): void {
    const up = this.isUp();
    if (up === this.up) return;
    this.up = up;
    this.changed(up);
    if (up) for (const resolve of this.waiting) resolve();
  }

  /** Rejects with the signal's reason when that comes first. */
  async whenUp(signal: AbortSignal): Promise<void> {
    if (this.up) return;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const settle = (how: () => void) => () => {
        this.waiting.delete(ready);
        signal.removeEventListener('abort', gone);
        how();
      };
      const ready = settle(resolve);
      const gone = settle(() => reject(signal.reason));
      this.waiting.add(ready);
      signal.addEventListener('abort', gone);
    });
  }

  close(): void {
    clearInterval(this.timer);
  }
}
