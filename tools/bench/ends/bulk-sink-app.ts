// A handler that takes what comes on one stream and counts it in a window of time: what a program in TypeScript gets to see.
// It closes then, which tells the source that it may end.
// In: port, warm-up and window, in the module's own address. Out: the report of the app. The bytes are read where they lie.
import { stream } from '../../../stack/framing.js';
import { serve } from '../../../stack/serve.js';
import { machineBusySeconds } from '../machine.js';

export interface BulkReport {
  /** Bytes of the window. */
  amount: number;
  nanoseconds: number;
  /** How long all processors were busy in it. */
  busy_s: number;
  ended: boolean;
}

const { searchParams } = new URL(import.meta.url);
const port = Number(searchParams.get('port'));
const warmUpMs = Number(searchParams.get('warmUpMs'));
const windowMs = Number(searchParams.get('windowMs'));

/** Chunks between two looks at the clock. */
const LOOK_EVERY = 32;

export default serve({
  levels: ['normal'],
  setup(app) {
    const report: BulkReport = { amount: 0, nanoseconds: 0, busy_s: 0, ended: false };
    let total = 0;
    let chunks = 0;
    let began = 0;
    let first = 0;
    let firstBytes = 0;
    let firstBusy = 0;
    let over = false;
    app.onReport(() => ({ report }));
    /** The window is over, for the first time. */
    const look = (now: number) => {
      if (began === 0) began = now;
      if (over || now < began + warmUpMs) return false;
      if (first === 0) [first, firstBytes, firstBusy] = [now, total, machineBusySeconds()];
      report.amount = total - firstBytes;
      report.nanoseconds = (now - first) * 1e6;
      over = now >= first + windowMs;
      if (over) report.busy_s = machineBusySeconds() - firstBusy;
      return over;
    };
    const onClose = () => {
      report.ended = true;
    };
    app.listen({ port, framing: stream, onClose }, (message) => {
      total += message.length;
      if (++chunks % LOOK_EVERY === 0 && look(performance.now())) message.connection.close();
    });
  },
});
