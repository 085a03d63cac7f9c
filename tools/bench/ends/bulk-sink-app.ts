// A handler that takes what comes on one stream and counts it in a window of time: what a program in TypeScript gets to see.
// In: port, warm-up and window, in the module's own address. Out: the report of the app. The bytes are read where they lie.
import { stream } from '../../../stack/framing.js';
import { serve } from '../../../stack/serve.js';

export interface BulkReport {
  bytes: number;
  nanoseconds: number;
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
    const report: BulkReport = { bytes: 0, nanoseconds: 0, ended: false };
    let total = 0;
    let chunks = 0;
    let began = 0;
    let first = 0;
    let firstBytes = 0;
    app.onReport(() => ({ report }));
    const look = (now: number) => {
      if (began === 0) began = now;
      if (now < began + warmUpMs) return;
      if (first === 0) [first, firstBytes] = [now, total];
      if (now > first + windowMs) return;
      report.bytes = total - firstBytes;
      report.nanoseconds = (now - first) * 1e6;
    };
    const onClose = () => {
      report.ended = true;
    };
    app.listen({ port, framing: stream, onClose }, (message) => {
      total += message.length;
      if (++chunks % LOOK_EVERY === 0) look(performance.now());
    });
  },
});
