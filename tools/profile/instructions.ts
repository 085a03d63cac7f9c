// How many instructions a server spends on a packet, by kind of packet: `qstack_bench packets` under callgrind.
// In: the release build; a table that was measured before (docs/benchmarks/instructions.json). Out: the same table anew, and
// what differs. A count depends on the program, the C library and the CPU's vector instructions, on nothing else: the same build
// counts the same twice. So tables of different compilers do not compare.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { versions } from '../bench/machine.js';
import { nativeEnd, ROOT, withFolder } from '../bench/places.js';
import { inParallel } from '../fuzz/lanes.js';
import { Child } from '../start/child.js';
import { inclusive, readCallgrind } from './callgrind.js';
import { addCost, type Profile, shortName } from './largest.js';
import { untilStopped } from './load.js';

export const TABLE_FILE = join(ROOT, 'docs/benchmarks/instructions.json');
/** In the order of `Kind` in native/bench/packet_costs.cc: a template's argument is a number in its name. */
export const KINDS = ['syn', 'handshake_ack', 'data_in', 'reply_out', 'ack_in', 'fin'] as const;
const ROUNDS = 50;
/** Enough for shares. */
const FUNCTION_ROUNDS = 10;
/** More than this beyond the table's figure is a fault. */
const WORSE_PERCENT_MAX = 5;

export type Kind = (typeof KINDS)[number];
export type PerPacket = Readonly<Record<Kind, number>>;

/** What a count depends on, beside the sources. */
export interface Maker {
  readonly compiler: string;
  /** Which of the checksum's loops and of the C library's copies are taken. */
  readonly avx2: boolean;
}

export interface InstructionTable extends Maker {
  readonly instructions: PerPacket;
}

function maker(): Maker {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  return { compiler: versions().compiler ?? 'unknown', avx2: flags.split(' ').includes('avx2') };
}

function isKind(name: string, kind: number): boolean {
  return name.includes('Course::measured<') && name.includes(`Kind)${kind}>`);
}

/** One run; what it printed (packets by kind), and what callgrind has counted. */
async function count(rounds: number, ...flags: string[]) {
  return withFolder(async (folder) => {
    const out = join(folder, 'callgrind.out');
    const command = ['valgrind', '--tool=callgrind', `--callgrind-out-file=${out}`, ...flags];
    let json = '';
    let child: Child | undefined;
    const run = () => {
      child = new Child({
        name: 'valgrind',
        command: [...command, ...nativeEnd('packets', `rounds=${rounds}`)],
        onLine: (line, from) => {
          if (from === 'stdout') json += line;
        },
      });
      return child.ended;
    };
    let stopped = false;
    const stop = (signal: NodeJS.Signals) => {
      stopped = true;
      child?.signal(signal);
    };
    const code = await untilStopped(() => {}, stop, run);
    if (stopped) throw new Error('stopped');
    if (code !== 0) throw new Error(child?.failure());
    return { packets: JSON.parse(json) as Record<Kind, number>, costs: readCallgrind(readFileSync(out, 'utf8')) };
  });
}

const perPacket = (instructions: number, packets: number) => Math.round((instructions / packets) * 10) / 10;

export async function measureInstructions(): Promise<InstructionTable> {
  const { packets, costs } = await count(ROUNDS);
  const figures = KINDS.map((kind, number) => {
    const instructions = inclusive(costs, (name) => isKind(name, number));
    if (!(instructions > 0 && packets[kind] > 0)) throw new Error(`callgrind has seen no packet of the kind ${kind}`);
    return [kind, perPacket(instructions, packets[kind])];
  });
  return { ...maker(), instructions: Object.fromEntries(figures) as PerPacket };
}

/** Which functions they are spent in: a run for each kind that counts nothing but its turns. */
export function measureFunctions(): Promise<Profile[]> {
  const numbers = KINDS.map((_, number) => number);
  return inParallel(numbers, cpus().length, async (number) => {
    const { packets, costs } = await count(FUNCTION_ROUNDS, `--toggle-collect=*Course::measured<*Kind)${number}>*`);
    const kind = KINDS[number] as Kind;
    const functions = new Map<string, number>();
    for (const [name, { self }] of costs) if (self > 0) addCost(functions, shortName(name), self / packets[kind]);
    return { name: kind, costs: functions };
  });
}

export function readTable(file: string): InstructionTable {
  return JSON.parse(readFileSync(file, 'utf8')) as InstructionTable;
}

export function writeTable(file: string, table: InstructionTable): void {
  writeFileSync(file, `${JSON.stringify(table, null, 2)}\n`);
}

export function changePercent(now: number, before: number): number {
  return Math.round((now / before - 1) * 1_000) / 10;
}

/** Why the two do not compare; undefined: they do. */
export function incomparable(now: Maker, before: Maker): string | undefined {
  if (now.compiler !== before.compiler)
    return `this is ${now.compiler}; the table was made with ${before.compiler}: not compared`;
  if (now.avx2 === before.avx2) return undefined;
  return `this CPU is ${now.avx2 ? 'one' : 'none'} with AVX2, the table's was ${before.avx2 ? 'one' : 'none'}: not compared`;
}

/** A sentence for each kind of packet that costs more than it may. */
export function worse(now: PerPacket, before: PerPacket): string[] {
  return KINDS.filter((kind) => !(changePercent(now[kind], before[kind]) <= WORSE_PERCENT_MAX)).map((kind) => {
    const percent = changePercent(now[kind], before[kind]).toFixed(1);
    return `${kind}: ${now[kind]} instructions per packet instead of ${before[kind]}, ${percent} % more; at most ${WORSE_PERCENT_MAX} % are accepted`;
  });
}

export function tableText(now: PerPacket, before: PerPacket | undefined): string {
  const head = ['instructions per packet', 'now', 'in the table', 'change'];
  const colAligns = head.map((_, column) => (column === 0 ? ('left' as const) : ('right' as const)));
  const table = new Table({ head, colAligns, style: { head: [], border: [], compact: true } });
  for (const kind of KINDS) {
    const change = before === undefined ? '-' : `${changePercent(now[kind], before[kind]).toFixed(1)} %`;
    table.push([kind, now[kind].toFixed(1), before?.[kind].toFixed(1) ?? '-', change]);
  }
  return table.toString();
}
