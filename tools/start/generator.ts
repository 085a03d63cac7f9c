// Generator: one mcc as `npm start` runs it: opens all connections, then makes its phases on them.
// In: what to send. Out: mcc's report; before that, what it says about itself while it runs (views, finished phases).
import { PHASES, type View } from '../mcc/native.js';
import type { Report, RunReport } from '../mcc/report.js';
import { Child } from './child.js';
import type { Layout } from './layout.js';
import { programPath } from './place.js';
import { socketPath } from './server.js';

/** Connections opened in one batch, one batch a second. */
const BATCH = 50_000;
const WAIT_S = 2;

export interface Load {
  folder: string;
  connections: number;
  phases: string;
  /** Messages a second that the server is known to answer. */
  capacityPerS?: number | undefined;
  highShare: number;
  seed: number;
  layout?: Layout;
  /** In place of those that follow from the rest. */
  flags?: Readonly<Record<string, string>>;
  /** A command that runs mcc, such as one that enters a network namespace. */
  within?: readonly string[];
  /** All connections are open and nothing is sent yet. */
  onIdle?: () => void;
  onView?: (view: View) => void;
  onRun?: (run: RunReport) => void;
  say: (line: string) => void;
}

type Message = { type: 'view'; view: View } | { type: 'run'; run: RunReport };

export function generatorArguments(load: Load): string[] {
  const { folder, connections, phases, capacityPerS, highShare, seed, layout } = load;
  const flags: Record<string, string> = {
    '-c': String(connections),
    '-s': `${Math.max(1, Math.ceil(connections / BATCH))}`,
    '-w': String(WAIT_S),
    '-l': '200',
    '-r': String(highShare),
    '--phases': phases,
    ...(capacityPerS === undefined ? {} : { '--capacity': String(capacityPerS) }),
    '--answer': 'all',
    '--dest': '10.0.0.1',
    '--socket': socketPath(folder),
    '--seed': String(seed),
    ...(layout?.cores === undefined ? {} : { '--core': String(layout.cores.generator) }),
    ...load.flags,
  };
  return [...Object.entries(flags).flat(), '--json', '--quiet'];
}

/** Says how far the connecting is, at most every two seconds. */
class Progress {
  private nextMs = 0;
  private idle = false;

  constructor(private readonly load: Load) {}

  view(view: View): void {
    const { connections, say, onIdle } = this.load;
    const phase = PHASES[view.phase];
    if (phase === 'connecting' && Date.now() >= this.nextMs) {
      this.nextMs = Date.now() + 2_000;
      say(`connecting: ${view.connected.toLocaleString('en-US')} of ${connections.toLocaleString('en-US')}`);
    }
    if (phase === 'ready' && !this.idle) {
      this.idle = true;
      say(`${view.connected.toLocaleString('en-US')} connections are open`);
      onIdle?.();
    }
  }
}

export class Generator {
  readonly child: Child;
  private json = '';

  constructor(private readonly load: Load) {
    const progress = new Progress(load);
    this.child = new Child({
      name: 'mcc',
      command: [...(load.within ?? []), process.execPath, programPath('bin/mcc.mjs'), ...generatorArguments(load)],
      onLine: (line, from) => {
        if (from === 'stdout') this.json += line;
        else load.say(`mcc: ${line}`);
      },
      onMessage: (message) => {
        const { type, ...rest } = message as Message;
        if (type === 'view') {
          const { view } = rest as { view: View };
          progress.view(view);
          load.onView?.(view);
        } else load.onRun?.((rest as { run: RunReport }).run);
      },
    });
  }

  async report(): Promise<Report> {
    const code = await this.child.ended;
    if (this.json === '') throw new Error(this.child.failure());
    if (code !== 0) this.load.say(`mcc ended with exit code ${code}`);
    return JSON.parse(this.json) as Report;
  }
}
