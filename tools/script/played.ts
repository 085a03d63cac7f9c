// What `play` says of scripts. In: its output. Out: one value per script.

export interface Played {
  readonly path: string;
  readonly says: string;
  readonly ok: boolean;
  /** The conversation, if it was asked for, and the fault. */
  readonly text: string;
}

export function readPlayed(output: string): Played[] {
  const played: Played[] = [];
  for (const line of output.split('\n')) {
    const head = /^(ok|FAILED) (\S+)\t(.*)$/.exec(line);
    const last = played.at(-1);
    if (head !== null) played.push({ ok: head[1] === 'ok', path: head[2] ?? '', says: head[3] ?? '', text: '' });
    else if (last !== undefined && line !== '') played[played.length - 1] = { ...last, text: `${last.text}${line}\n` };
  }
  return played;
}
