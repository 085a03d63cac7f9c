// Limits: what this process may do. In: a Source, the runtime folder as it is. Out: findings.
import { formatSize } from '../../stack/config/units.js';
import { type Finding, ok, trouble } from './catalog.js';
import type { Source } from './source.js';

/** The folder of sockets; undefined: it is not there yet, and will be made. */
export interface FolderState {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly isFolder: boolean;
}

export interface Self {
  readonly uid: number;
  readonly execPath: string;
  readonly runtimeFolder: FolderState | undefined;
}

const FILES_WANTED = 1_024;
/** Packets that AF_XDP holds in place, at least. */
const LOCKED_WANTED = 64 * 2 ** 20;
const IPC_LOCK = 14;
/** Bits of capability sets, see capabilities(7), and what needs them. */
const WANTED = { cap_net_admin: 12, cap_net_raw: 13, cap_ipc_lock: IPC_LOCK, cap_sys_admin: 21 } as const;

function limitOf(source: Source, name: string): number {
  const soft = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(source.read('/proc/self/limits') ?? '')?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function has(source: Source, bit: number): boolean {
  const effective = /^CapEff:\s*([\da-f]+)$/m.exec(source.read('/proc/self/status') ?? '')?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n;
}

function nofile(source: Source): Finding {
  const files = limitOf(source, 'Max open files');
  const found = Number.isFinite(files) ? files.toLocaleString('en-US') : 'no limit';
  if (files >= FILES_WANTED) return ok('nofile', found);
  const cost = 'connections of our stack need no files, but clients with kernel sockets and Redis run out of them';
  return trouble('nofile', 'warn', found, cost, 'ulimit -n 20000');
}

function memlock(source: Source): Finding {
  const bytes = limitOf(source, 'Max locked memory');
  const found = Number.isFinite(bytes) ? formatSize(bytes) : 'no limit';
  if (bytes >= LOCKED_WANTED || has(source, IPC_LOCK)) return ok('memlock', found);
  const cost = 'af_xdp holds its packets in place and does not start; memif, tap and af_packet do';
  return trouble('memlock', 'note', found, cost, 'ulimit -l unlimited');
}

function capabilities(source: Source, { execPath }: Self): Finding {
  const missing = Object.entries(WANTED).flatMap(([name, bit]) => (has(source, bit) ? [] : [name]));
  if (missing.length === 0) return ok('capabilities', 'all that devices need');
  const cost = 'tap, af_packet, af_xdp and live pcap do not open; memif needs none';
  return trouble(
    'capabilities',
    'note',
    `without ${missing.join(', ')}`,
    cost,
    `setcap ${missing.join(',')}+ep ${execPath}`,
  );
}

function runtimeFolder({ uid, runtimeFolder: folder }: Self): Finding {
  if (folder === undefined) return ok('runtime_folder', 'not there yet; it is made with mode 0700');
  const found = `${folder.path}, mode ${folder.mode.toString(8)}`;
  const cost = 'sockets are not kept where others may reach them: servers and generators refuse to start';
  if (!folder.isFolder)
    return trouble('runtime_folder', 'fail', `${folder.path} is no folder`, cost, `rm ${folder.path}`);
  if (folder.uid !== uid) {
    return trouble(
      'runtime_folder',
      'fail',
      `${folder.path} is user ${folder.uid}'s`,
      cost,
      'export XDG_RUNTIME_DIR=$(mktemp -d)',
    );
  }
  if ((folder.mode & 0o022) !== 0) return trouble('runtime_folder', 'fail', found, cost, `chmod 700 ${folder.path}`);
  return ok('runtime_folder', found);
}

export function limitFindings(source: Source, self: Self): Finding[] {
  return [nofile(source), memlock(source), capabilities(source, self), runtimeFolder(self)];
}
