// ProgramFacts of this process. In: its name and a line about it. Out: what the dashboard says of it.
import { readFileSync } from 'node:fs';
import type { ProgramFacts } from './snapshot.js';

const PACKAGE = new URL('../../../package.json', import.meta.url);

export function programFacts(name: string, about: string): ProgramFacts {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };
  const started_ms = Math.round(Date.now() - process.uptime() * 1_000);
  return { name, version, pid: process.pid, started_ms, about };
}
