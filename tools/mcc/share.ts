// Share: one of several processes that make a test together on kernel sockets, because one may not have so many files
// (process-group.ts starts it). In: calls over IPC. Out: its generator's view whenever that changes, its counters, and the result of a run
// that is over. It ends when its parent does.
import {
  type Hiccups,
  loadMcc,
  type NativeMcc,
  type NativeMccOptions,
  type NativeRun,
  PHASES,
  type RunResult,
  type View,
} from './native.js';

export type ShareCall =
  | { readonly call: 'create'; readonly options: NativeMccOptions }
  | { readonly call: 'run'; readonly run: NativeRun }
  | { readonly call: 'connect' | 'stop' | 'close' };

/** To the share: calls are numbered from 1. */
export type ShareRequest = ShareCall & { readonly number: number };

export interface ShareState {
  /** The last call that was made before this. */
  readonly number: number;
  readonly view: View;
  /** Of the run so far, by level. */
  readonly cells: readonly Float64Array[];
  readonly hiccups: Hiccups;
  readonly counters: Readonly<Record<string, number>>;
  readonly result?: RunResult;
}

export type ShareReply = ShareState | { readonly fault: string };

const POLL_MS = 20;

class Share {
  private id = 0;
  private number = 0;
  private ran = false;
  private lastView = -1;

  constructor(private readonly native: NativeMcc) {}

  take(request: ShareRequest): void {
    if (request.call === 'create') this.id = this.native.createMcc(request.options);
    if (request.call === 'connect') this.native.mccConnect(this.id);
    if (request.call === 'run') this.native.mccRun(this.id, request.run);
    if (request.call === 'stop') this.native.mccStopRun(this.id);
    if (request.call === 'close') this.native.mccClose(this.id);
    this.ran = request.call === 'run' || (this.ran && request.call === 'stop');
    this.number = request.number;
    this.lastView = -1;
    this.tell();
  }

  /** The state, when it is news. */
  tell(): void {
    if (this.id === 0) return;
    const view = this.native.mccView(this.id);
    if (view.number === this.lastView) return;
    this.lastView = view.number;
    const over = this.ran && PHASES[view.phase] === 'ready';
    const state: ShareState = {
      number: this.number,
      view,
      cells: this.native.mccCells(this.id),
      hiccups: this.native.mccHiccups(this.id),
      counters: this.native.mccCounters(this.id),
      ...(over ? { result: this.native.mccResult(this.id) } : {}),
    };
    process.send?.(state satisfies ShareReply);
  }
}

function main(): void {
  const share = new Share(loadMcc());
  const timer = setInterval(() => share.tell(), POLL_MS);
  process.on('message', (request: ShareRequest) => {
    try {
      share.take(request);
    } catch (error) {
      process.send?.({ fault: (error as Error).message } satisfies ShareReply);
    }
  });
  process.on('disconnect', () => {
    clearInterval(timer);
    process.exit(0);
  });
  // ^C reaches all of a terminal's processes; it is the parent that ends the run.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
}

main();
