// Share: a generator that makes its part of a test which others make as well: processes of this machine (share-process.ts) or workers
// of a cluster. In: numbered calls. Out, by `say`: its generator's view whenever that changes, its counters, and the result of a run that
// is over.
import {
  type Hiccups,
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
  | { readonly call: 'flood'; readonly ratePerS: number }
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

export class Share {
  private id = 0;
  private number = 0;
  private ran = false;
  private lastView = -1;
  private lastLink: number | undefined;

  constructor(
    private readonly native: NativeMcc,
    private readonly say: (state: ShareState) => void,
  ) {}

  take(request: ShareRequest): void {
    if (request.call === 'create') this.id = this.native.createMcc(request.options);
    if (request.call === 'connect') this.native.mccConnect(this.id);
    if (request.call === 'run') this.native.mccRun(this.id, request.run);
    if (request.call === 'stop') this.native.mccStopRun(this.id);
    if (request.call === 'flood') this.native.mccFlood(this.id, request.ratePerS);
    if (request.call === 'close') this.native.mccClose(this.id);
    this.ran = request.call === 'run' || (this.ran && (request.call === 'stop' || request.call === 'flood'));
    this.number = request.number;
    this.lastView = -1;
    this.tell();
  }

  /** The state, when it is news. */
  tell(): void {
    if (this.id === 0) return;
    const view = this.native.mccView(this.id);
    const counters = this.native.mccCounters(this.id);
    if (view.number === this.lastView && counters.link_up === this.lastLink) return;
    this.lastView = view.number;
    this.lastLink = counters.link_up;
    const over = this.ran && PHASES[view.phase] === 'ready';
    this.say({
      number: this.number,
      view,
      cells: this.native.mccCells(this.id),
      hiccups: this.native.mccHiccups(this.id),
      counters,
      ...(over ? { result: this.native.mccResult(this.id) } : {}),
    });
  }

  /** Nothing is open any more. */
  get isClosed(): boolean {
    return this.id === 0 || PHASES[this.native.mccView(this.id).phase] === 'closed';
  }

  destroy(): void {
    if (this.id !== 0) this.native.destroyMcc(this.id);
    this.id = 0;
  }
}
