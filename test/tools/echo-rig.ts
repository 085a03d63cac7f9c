// mcc and echo_server as two processes over memif, for tests of the command line. In: flags as a person types them. Out: what
// was printed, and the exit status. stop() ends the server that start() has made.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const dist = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface Context {
  folder: string;
  socket: string;
  server: ChildProcess;
  said: string;
}

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export function run(arguments_: readonly string[], onStart: (child: ChildProcess) => void = () => {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (bytes) => {
      out += bytes;
    });
    child.stderr.on('data', (bytes) => {
      err += bytes;
    });
    child.on('close', (code) => resolve({ code, out, err }));
    onStart(child);
  });
}

/** echo_server at a memif socket of its own. */
export async function start(context: Context, ...flags: string[]): Promise<void> {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-mcc-'));
  context.socket = join(context.folder, 'memif', 'q.sock');
  const device = `memif:${context.socket}?server`;
  const line = [
    dist('apps/echo_server/main.js'),
    '--device',
    device,
    '--http-port',
    '0',
    '--max-concurrency',
    '1000',
    ...flags,
  ];
  context.server = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'pipe'] });
  context.said = '';
  await new Promise<void>((resolve, reject) => {
    context.server.stdout?.on('data', (bytes) => {
      context.said += bytes;
      if (context.said.includes('listening ')) resolve();
    });
    context.server.stderr?.on('data', (bytes) => {
      context.said += bytes;
    });
    context.server.on('close', () => reject(new Error(`echo_server ended: ${context.said}`)));
  });
}

export function stop(context: Context): void {
  context.server.kill('SIGKILL');
  rmSync(context.folder, { recursive: true, force: true });
}

/** The command line of mcc against that server. */
export function line({ socket }: Context, text: string): string[] {
  return [dist('tools/mcc/main.js'), '--port', '7', '--reply', 'echo', '--socket', socket, ...text.split(' ')];
}
