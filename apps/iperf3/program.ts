// iperf3 on the stack: the program that the app thread imports. What it is to do stands in the module's own address.
// Out, by the app's report: lines for stdout, each told once, and the exit code when it is done.
import type { App } from '../../stack/app.js';
import { stream } from '../../stack/framing.js';
import { serve } from '../../stack/serve.js';
import { Client } from './client.js';
import { type Parameters, readParameters, writeParameters } from './protocol.js';
import { endLines, intervalLines, startLines, trialJson } from './report.js';
import { Server } from './server.js';
import type { Trial } from './trial.js';

export interface Iperf3Options {
  /** The server's address; undefined: we are the server. */
  connect: string | undefined;
  port: number;
  parameters: Parameters;
  intervalMs: number;
  json: boolean;
  /** The server ends after one test. */
  once: boolean;
}

export interface Iperf3Report {
  lines: string[];
  exitCode: number | undefined;
}

export function addressOf(options: Iperf3Options): URL {
  const address = new URL('./program.js', import.meta.url);
  address.search = String(
    new URLSearchParams({ options: JSON.stringify({ ...options, parameters: writeParameters(options.parameters) }) }),
  );
  return address;
}

function optionsOf(address: string): Iperf3Options {
  const read = JSON.parse(new URL(address).searchParams.get('options') ?? '{}') as Iperf3Options;
  return { ...read, parameters: readParameters(read.parameters ?? {}) };
}

/** Lines that wait for the next report. */
class Out {
  exitCode: number | undefined;
  private waiting: string[] = [];
  private readonly json: boolean;

  constructor(json: boolean) {
    this.json = json;
  }

  begin(trial: Trial): void {
    if (this.json) return;
    this.waiting.push(...startLines(trial));
    trial.onInterval = (interval) => this.waiting.push(...intervalLines(trial, interval));
  }

  end(trial: Trial): void {
    this.waiting.push(...(this.json ? [JSON.stringify(trialJson(trial), null, 2)] : endLines(trial)));
  }

  report(): Iperf3Report {
    return { lines: this.waiting.splice(0), exitCode: this.exitCode };
  }
}

function listen(app: App<'normal'>, { port, intervalMs, once }: Iperf3Options, out: Out): void {
  const server = new Server({
    intervalMs,
    onTrial: (trial) => out.begin(trial),
    onEnd: (trial) => {
      out.end(trial);
      if (once) out.exitCode = trial.fault === undefined ? 0 : 1;
    },
  });
  app.listen({ port, framing: stream, onConnect: (connection) => server.accept(connection) });
}

function connect(app: App<'normal'>, address: string, { port, parameters, intervalMs }: Iperf3Options, out: Out): void {
  const client = new Client(app, { address, port, parameters, intervalMs, onTrial: (trial) => out.begin(trial) });
  app.onStart(async () => {
    const trial = await client.run();
    out.end(trial);
    out.exitCode = trial.fault === undefined ? 0 : 1;
  });
}

const options = optionsOf(import.meta.url);

export default serve({
  levels: ['normal'],
  setup(app) {
    const out = new Out(options.json);
    app.onReport(() => ({ iperf3: out.report() }));
    if (options.connect === undefined) listen(app, options, out);
    else connect(app, options.connect, options, out);
  },
});
