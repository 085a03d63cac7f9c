// `qstack top`: what a running program does, in the terminal: levels, stages, drops, Redis, cores.
// In: snapshots, once a second; keys q and p. Out: a screen that is drawn again; without a terminal one text, or JSON lines.
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { parseCount } from '../../stack/config/units.js';
import type { Snapshot } from '../../stack/dashboard/snapshot.js';
import { ProgramClient } from './program-client.js';
import { snapshotText } from './snapshot-text.js';

const PERIOD_MS = 1_000;

const EXAMPLES = `
Examples:
  qstack top
  qstack top http://127.0.0.1:9700/#token=…
  qstack top --once
  qstack top --json | jq .connections
Keys: q or ^C ends, p pauses and goes on.`;

interface Flags {
  once?: boolean;
  json?: boolean;
  pid?: string;
  token?: string;
}

/** Alternate screen on and off, the cursor hidden meanwhile. */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';

class Screen {
  private paused = false;
  private ended = false;
  private last: Snapshot | undefined;

  constructor(private readonly client: ProgramClient) {}

  async run(): Promise<void> {
    const { stdin, stdout } = process;
    stdout.write(ENTER);
    if (stdin.isTTY) stdin.setRawMode(true);
    stdin.on('data', (bytes) => this.key(String(bytes)));
    stdout.on('resize', () => this.draw());
    try {
      while (!this.ended) await this.step();
    } finally {
      stdout.write(LEAVE);
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
    }
  }

  private async step(): Promise<void> {
    const startMs = performance.now();
    if (!this.paused) {
      const news = await this.client.get<Snapshot[]>(`/api/snapshots?after=${this.last?.number ?? 0}`);
      if (!this.paused) this.last = news.at(-1) ?? this.last;
      this.draw();
    }
    // In short steps, so that a key is obeyed at once.
    while (!this.ended && performance.now() - startMs < PERIOD_MS) await sleep(50);
  }

  private key(keys: string): void {
    for (const key of keys) {
      if (key === 'q' || key === 'Q' || key === '\u0003') this.ended = true;
      if (key !== 'p' && key !== ' ') continue;
      this.paused = !this.paused;
      this.draw();
    }
  }

  private draw(): void {
    if (this.last === undefined) return;
    const { rows = 24, columns = 80 } = process.stdout;
    const state = this.paused ? 'paused: p goes on' : 'q ends, p pauses';
    const lines = [
      ...snapshotText(this.last)
        .split('\n')
        .slice(0, rows - 2),
      '',
      state,
    ];
    process.stdout.write(`\u001b[H${lines.map((line) => `${line.slice(0, columns)}\u001b[K`).join('\r\n')}\u001b[J`);
  }
}

async function latest(client: ProgramClient, after: number): Promise<Snapshot[]> {
  return client.get<Snapshot[]>(`/api/snapshots?after=${after}`);
}

/** One object a line, until it is ended. */
async function follow(client: ProgramClient): Promise<void> {
  let after = (await latest(client, 0)).at(-1)?.number ?? 0;
  for (;;) {
    for (const snapshot of await latest(client, after)) {
      after = snapshot.number;
      process.stdout.write(`${JSON.stringify(snapshot)}\n`);
    }
    await sleep(PERIOD_MS);
  }
}

async function top(url: string | undefined, flags: Flags): Promise<void> {
  const pid = flags.pid === undefined ? undefined : parseCount(flags.pid);
  if (flags.pid !== undefined && pid === undefined) throw new Error('--pid: a process id is expected');
  const client = new ProgramClient({ url, token: flags.token, pid });
  if (flags.json !== true && flags.once !== true && process.stdout.isTTY === true) return new Screen(client).run();
  if (flags.json === true && flags.once !== true) return follow(client);
  const snapshot = (await latest(client, 0)).at(-1);
  if (snapshot === undefined) throw new Error('there are no figures yet');
  process.stdout.write(`${flags.json ? JSON.stringify(snapshot) : snapshotText(snapshot)}\n`);
}

export function topCommand(): Command {
  const command = new Command('top')
    .description('what a running program does, once a second')
    .argument('[url]', 'its dashboard; else the only server of this user')
    .option('--pid <n>', 'of this process, where several run')
    .option('--token <token>', 'token of that dashboard')
    .option('--once', 'one picture, and end (so does a pipe)')
    .option('--json', 'a JSON object a second; with --once a single one')
    .addHelpText('after', EXAMPLES);
  return command.action((url: string | undefined) => top(url, command.opts<Flags>()));
}
