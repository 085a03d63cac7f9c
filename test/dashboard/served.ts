// Served: an iotepserver with its dashboard, two Redis servers and mcc, as processes of a test.
// In: configuration and flags. Out: where the dashboard is, its token, and a load; everything ends with close().
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisDown, redisUp } from '../../tools/redis/servers.js';
import { Program } from '../apps/program.js';

export class Served {
  readonly folder: string;
  readonly server: Program;
  readonly origin: string;
  readonly token: string;
  private readonly programs: Program[];

  private constructor(folder: string, server: Program) {
    this.folder = folder;
    this.server = server;
    this.programs = [server];
    const [, origin = '', token = ''] = /^dashboard (http:\/\/\S+)\/#token=(\S+)$/m.exec(server.out) ?? [];
    this.origin = origin;
    this.token = token;
  }

  static async start(flags: readonly string[] = [], dashboard = '127.0.0.1:0'): Promise<Served> {
    const folder = mkdtempSync(join(tmpdir(), 'qstack-dashboard-'));
    process.env.XDG_RUNTIME_DIR = folder;
    const sockets = (await redisUp(2, join(folder, 'redis'))).map(({ socket }) => socket);
    const device = `memif:${join(folder, 'memif', 'q.sock')}?server`;
    const common = ['--device', device, '--redis', sockets.join(','), '--max-concurrency', '2000'];
    const more = ['--max-num-buffers', '8192', '--answer', 'all', '--drain-timeout', '1s', '--dashboard', dashboard];
    const server = new Program('apps/iotepserver/main.js', [...common, ...more, ...flags]);
    await server.said('dashboard http');
    return new Served(folder, server);
  }

  /** An mcc on the same memif. */
  load(flags: string): Program {
    const line = `-c 200 -s 1 -w 0 -l 200 -r 0.2 --answer all ${flags} --json --socket ${join(this.folder, 'memif', 'q.sock')}`;
    const program = new Program('tools/mcc/main.js', line.split(' '));
    this.programs.push(program);
    return program;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.origin}${path}`, { headers });
  }

  post(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.origin}${path}`, { method: 'POST', body, headers });
  }

  get bearer(): Record<string, string> {
    return { Authorization: `Bearer ${this.token}` };
  }

  async close(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.stop('SIGKILL')));
    await redisDown(join(this.folder, 'redis'));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
