// ProgramClient: asks a running program of this user for its figures, by its control socket or by a URL.
// In: `--pid N`, a URL, or nothing where only one server runs. Out: JSON. Faults are sentences that name the way out.
import { existsSync, readdirSync, unlinkSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { join } from 'node:path';
import { controlDir } from '../../stack/dashboard/dashboard.js';

const TIMEOUT_MS = 10_000;
const BYTES_MAX = 64 * 2 ** 20;

export interface Program {
  name: string;
  pid: number;
  socket: string;
}

/** Sockets of programs that were killed are taken away. */
export function runningPrograms(folder = controlDir()): Program[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((file) => {
    const [, name = '', pid = ''] = /^(.+)-(\d+)\.sock$/.exec(file) ?? [];
    if (name === '') return [];
    const program = { name, pid: Number(pid), socket: join(folder, file) };
    if (existsSync(`/proc/${pid}`)) return [program];
    unlinkSync(program.socket);
    return [];
  });
}

function listOf(programs: readonly Program[]): string {
  return programs.map(({ name, pid }) => `  --pid ${pid}   ${name}`).join('\n');
}

/** Programs that measure others. */
const MEASURING = ['mcc', 'monitor'];

/** The one that was named, or the only server; where none runs and any will do, the only program. */
export function chooseProgram(pid: number | undefined, kind: 'server' | 'any'): Program {
  const all = runningPrograms();
  if (pid !== undefined) {
    const named = all.find((program) => program.pid === pid);
    if (named !== undefined) return named;
    const others = all.length > 0 ? `; there is\n${listOf(all)}` : '';
    throw new Error(`no program of ours with process id ${pid} runs here${others}`);
  }
  const servers = all.filter(({ name }) => !MEASURING.includes(name));
  const fitting = servers.length === 0 && kind === 'any' ? all : servers;
  if (fitting.length === 1) return fitting[0] as Program;
  if (fitting.length > 1) throw new Error(`several programs run here: say which one\n${listOf(fitting)}`);
  throw new Error(
    'no program of this user runs here: start one (`qstack run`, `iotepserver`), or give the URL that one printed behind `dashboard`',
  );
}

export interface Target {
  url?: string | undefined;
  token?: string | undefined;
  pid?: number | undefined;
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BYTES_MAX) throw new Error('the answer is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

export class ProgramClient {
  private readonly options: RequestOptions;
  private readonly where: string;

  constructor({ url, token, pid }: Target, kind: 'server' | 'any' = 'any') {
    if (url === undefined) {
      const { socket, name } = chooseProgram(pid, kind);
      this.options = { socketPath: socket, host: 'localhost' };
      this.where = name;
      return;
    }
    const at = new URL(/^https?:/.test(url) ? url : `http://${url}`);
    const own = token ?? /token=([^&]+)/.exec(at.hash)?.[1];
    const headers = own === undefined ? {} : { Authorization: `Bearer ${own}` };
    this.options = { host: at.hostname.replace(/^\[(.*)\]$/, '$1'), port: at.port || 80, headers };
    this.where = at.host;
  }

  async get<T>(path: string): Promise<T> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request({ ...this.options, path, timeout: TIMEOUT_MS }, resolve);
      asked.on('timeout', () => asked.destroy(new Error('it did not answer in time')));
      asked.on('error', (error) => reject(new Error(`${this.where}: ${error.message}`)));
      asked.end();
    });
    const body = JSON.parse(await bodyOf(response)) as T & { error?: string };
    if (response.statusCode === 200) return body;
    throw new Error(`${this.where}: ${body.error ?? `status ${response.statusCode}`}`);
  }
}
