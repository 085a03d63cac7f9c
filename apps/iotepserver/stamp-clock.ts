// How long ago a stamp was, by the time that the poller writes into the arena once a turn: no clock is called per message.

import { APP_LINE_STAMP_U32 } from '../../stack/abi.js';
import type { App } from '../../stack/app.js';

const US_PER_STAMP = 0.064;

export function stampClock<L extends string>(app: App<L>): (stamp: number) => number {
  const { arena } = app.core;
  const at = arena.appLine(app.index) + APP_LINE_STAMP_U32;
  return (stamp) => (((arena.u32[at] as number) - stamp) >>> 0) * US_PER_STAMP;
}
