// EchoRig: echo_server on a memif in a folder of its own, and mcc that meets it there. In: how many connections, more flags of the
// server. Out: mcc's report of a load; what was started ends with the work.
import type { Report } from '../mcc/report.js';
import { Generator, type Load } from '../start/generator.js';
import { nodeProgram, withFolder } from './places.js';
import { End } from './process.js';

const ADDRESS = '10.0.0.1/16';
const PORT = '7';

/** What of a load is not the same for all. */
export type EchoLoad = Pick<Load, 'phases' | 'seed' | 'flags' | 'onRun' | 'onView'>;

export class EchoRig {
  private constructor(
    readonly folder: string,
    private readonly server: End<unknown>,
    private readonly socket: string,
    private readonly connections: number,
  ) {}

  static with<T>(
    connections: number,
    flagsIn: (folder: string) => readonly string[],
    work: (rig: EchoRig) => Promise<T>,
  ): Promise<T> {
    return withFolder(async (folder) => {
      const socket = `${folder}/echo.sock`;
      const place = ['--device', `memif:${socket}?server`, '--host-ip', ADDRESS, '--port', PORT, '--http-port', '0'];
      const command = nodeProgram('apps/echo_server/main.js');
      const flags = [...flagsIn(folder), ...place, '--max-concurrency', `${connections}`];
      const server = new End('the server', [...command, ...flags], 'listening');
      try {
        await server.start();
        return await work(new EchoRig(folder, server, socket, connections));
      } finally {
        await server.stop();
      }
    });
  }

  /** Of the server. */
  get pid(): number {
    return this.server.pid;
  }

  /** mcc to its end: all connections were open, and no reply was wrong. */
  async load(load: EchoLoad): Promise<Report> {
    const { folder, socket, connections } = this;
    const flags = { '--socket': socket, '--port': PORT, '--reply': 'echo', '-s': '1', '-w': '1', ...load.flags };
    const report = await new Generator({ ...load, folder, connections, highShare: 1, flags, say: () => {} }).report();
    if (report.connected < connections) throw new Error(`only ${report.connected} connections were open`);
    const wrong = report.phases.reduce((sum, { mismatched }) => sum + mismatched, 0);
    if (wrong > 0) throw new Error(`${wrong} replies were wrong`);
    return report;
  }
}
