// Where a test leaves its results: paths of files, as flags name them.
import type { FlagReader } from './flag-reader.js';

/** Paths; undefined: not wanted. */
export interface OutputOptions {
  hgrm: string | undefined;
  hlog: string | undefined;
  clientLog: string | undefined;
  html: string | undefined;
  /** Between two lines of the client log, and of progress that is not drawn. */
  logMs: number;
}

export function readOutputs(reader: FlagReader): OutputOptions {
  const path = (name: string, flag: string) => {
    const text = reader.text(name);
    if (text === '') reader.refuse(flag, text, 'a path');
    return text;
  };
  return {
    hgrm: path('hgrm', '--hgrm'),
    hlog: path('hlog', '--hlog'),
    clientLog: path('clientLog', '--client-log'),
    html: path('html', '--html'),
    logMs: Math.max(1_000, reader.seconds('logDuration', '--log-duration')),
  };
}
