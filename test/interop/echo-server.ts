// echo_server inside a namespace, and what it counts. In: a namespace, a link, flags. Out: a server on the air.
import type { StackCounters } from '../../stack/native.js';
import type { Program } from '../apps/program.js';
import { type Link, type Namespace, OURS, PREFIX_LENGTH } from './namespace.js';

export const ECHO_PORT = 7;
export const HTTP_PORT = 80;

export interface EchoOptions {
  root: string;
  flags?: readonly string[];
}

export class EchoServer {
  readonly program: Program;

  private constructor(program: Program) {
    this.program = program;
  }

  static async start(namespace: Namespace, link: Link, { root, flags = [] }: EchoOptions): Promise<EchoServer> {
    const place = ['--device', link.device, '--host-ip', `${OURS}/${PREFIX_LENGTH}`, '--root', root];
    const ports = ['--port', `${ECHO_PORT}`, '--http-port', `${HTTP_PORT}`];
    const program = namespace.program('apps/echo_server/main.js', ...place, ...ports, '--stats-json', ...flags);
    await program.said(`listening ${OURS}:${ECHO_PORT}`);
    namespace.giveAddress(link);
    const server = new EchoServer(program);
    await server.until(() => true, 5_000);
    return server;
  }

  /** What was said last, at most a second ago. */
  counters(): StackCounters {
    const lines = this.program.out.split('\n').slice(0, -1);
    return JSON.parse(lines.at(-1) ?? '{}') as StackCounters;
  }

  /** The first counters that are said from now on and for which this holds; the last ones when it never does. */
  async until(holds: (counters: StackCounters) => boolean, limitMs: number): Promise<StackCounters> {
    const deadline = Date.now() + limitMs;
    const from = this.program.out.length;
    for (;;) {
      const isNew = this.program.out.indexOf('\n', from) >= 0;
      if (Date.now() > deadline || (isNew && holds(this.counters()))) return this.counters();
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}
