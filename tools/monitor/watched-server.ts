// The server whose mirror is watched: whether a path can be its socket, and what a person is told of who is there.
// In: a path; whether a server is connected, time by time. Out: sentences, each once.
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseDevice } from '../../stack/config/device.js';

/** A server that is there takes a client in within a dozen turns of both sides, 10 ms each. */
const PATIENCE_MS = 500;
/** __SO_ACCEPTCON, of proc(5)'s table of unix sockets. */
const LISTENS = 0x10000;
const FLAGS_COLUMN = 3;

/** Why no server can ever listen at this path; undefined: one can. */
export function socketFault(path: string): string | undefined {
  const parsed = parseDevice(`memif:${path}?client`);
  if (typeof parsed === 'string') return parsed;
  try {
    const folder = statSync(dirname(path), { throwIfNoEntry: false });
    if (folder === undefined)
      return `there is no folder ${dirname(path)}; a server with \`mirror = memif:${path}\` makes it`;
    if (!folder.isDirectory()) return `${dirname(path)} is no folder`;
    const there = statSync(path, { throwIfNoEntry: false });
    return there === undefined || there.isSocket() ? undefined : 'it is there, and no socket';
  } catch (error) {
    return `it cannot be looked at (${(error as NodeJS.ErrnoException).code}); a mirror is for the server's own user`;
  }
}

/** Whether anybody listens there; asking by a connection would be a client that has to be let in and out again. */
function isServed(path: string): boolean {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return lines.some(
    (line) => line.endsWith(` ${path}`) && (Number.parseInt(line.split(' ')[FLAGS_COLUMN] ?? '', 16) & LISTENS) !== 0,
  );
}

export class MirrorLink {
  private isUp = false;
  private wasUp = false;
  private hasWaited = false;
  private beginMs: number | undefined;

  constructor(
    private readonly path: string,
    private readonly served: (path: string) => boolean = isServed,
  ) {}

  /** What is to be told now; undefined: nothing. The first connection is told by who begins to watch. */
  look(isUp: boolean, nowMs: number): string | undefined {
    this.beginMs ??= nowMs;
    if (isUp !== this.isUp) return this.turn(isUp);
    if (this.wasUp || this.hasWaited || nowMs - this.beginMs < PATIENCE_MS) return undefined;
    this.hasWaited = true;
    return this.waiting();
  }

  private turn(isUp: boolean): string | undefined {
    const again = this.wasUp;
    this.isUp = isUp;
    this.wasUp = true;
    if (!isUp) return `the server at ${this.path} is gone; waiting for the next one`;
    return again ? `connected to the mirror ${this.path} again` : undefined;
  }

  private waiting(): string {
    if (this.served(this.path))
      return `the server at ${this.path} has not taken this monitor in: one at a time reads a mirror; waiting`;
    return `waiting for a server at ${this.path}: start one with \`mirror = memif:${this.path}\` (docs/monitor.md 9)`;
  }
}
