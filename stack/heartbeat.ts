// Heartbeat: notices an app thread that has not polled for seconds (a handler that computes, or an endless loop).
// In: the turn counts that pollers write into the arena. Out: a warning in the log.
import { Arena } from '../mempool/arena.js';
import { APP_LINE_TURNS_U32, APP_LINE_WAITING_U32 } from './abi.js';
import type { Log } from './log.js';

const STUCK_MS = 5_000;
/** Each look at an idle server costs milliseconds of cold JavaScript. */
const PERIOD_MS = STUCK_MS / 2;

export class Heartbeat {
  private readonly arena: Arena;
  private readonly log: Log;
  private readonly turns: number[];
  private readonly quietMs: number[];
  private readonly timer: NodeJS.Timeout;

  constructor(buffer: ArrayBuffer, apps: number, log: Log) {
    this.arena = new Arena(buffer);
    this.log = log;
    this.turns = new Array<number>(apps).fill(-1);
    this.quietMs = new Array<number>(apps).fill(0);
    this.timer = setInterval(() => this.look(), PERIOD_MS);
    this.timer.unref();
  }

  private look(): void {
    for (let app = 0; app < this.turns.length; app++) this.lookAt(app);
  }

  private lookAt(app: number): void {
    const line = this.arena.appLine(app);
    const turns = Atomics.load(this.arena.i32, line + APP_LINE_TURNS_U32);
    const sleeps = Atomics.load(this.arena.i32, line + APP_LINE_WAITING_U32) !== 0;
    const moved = turns !== this.turns[app] || sleeps;
    this.turns[app] = turns;
    this.quietMs[app] = moved ? 0 : (this.quietMs[app] as number) + PERIOD_MS;
    if (this.quietMs[app] !== STUCK_MS) return;
    this.log.warn('APP_STUCK', `app thread ${app} has not polled for ${STUCK_MS / 1000} s: a handler computes`, {
      app,
    });
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
