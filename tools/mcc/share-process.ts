// A share in a process of its own, because one may not have so many files (process-group.ts starts it). In: calls over IPC. Out: what
// the share says. It ends when its parent does.
import { loadMcc } from './native.js';
import { Share, type ShareReply, type ShareRequest } from './share.js';

const POLL_MS = 20;

function main(): void {
  const share = new Share(loadMcc(), (state) => process.send?.(state satisfies ShareReply));
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
