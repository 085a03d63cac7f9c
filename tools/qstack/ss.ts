// `qstack ss`: connections of a running server, as ss lists those of the kernel. In: a filter. Out: a table, or JSON.
import { Command } from 'commander';
import { parseCount } from '../../stack/config/units.js';
import { FILTER_SYNTAX, parseConnectionFilter } from '../../stack/connection-filter.js';
import type { ConnectionLine, ConnectionsFound } from '../../stack/connection-list.js';
import { ProgramClient } from './program-client.js';

const LIMIT = 100;
const LIMIT_MAX = 10_000;

const EXAMPLES = `
Examples:
  qstack ss
  qstack ss state established dst 10.0.0.0/24
  qstack ss 'sport = :80 and not state close-wait' -n 1000
  qstack ss --json dport '>=' :1024
A filter is ${FILTER_SYNTAX}.
Levels are counted over the messages whose records still stand in the rings.`;

type Column = readonly [head: string, cell: (line: ConnectionLine) => string, right?: boolean];

const ms = (us: number | null) => (us === null ? '-' : `${Number((us / 1_000).toPrecision(3))}`);

const COLUMNS: readonly Column[] = [
  ['State', ({ state }) => state],
  ['Recv-Q', ({ recv_q }) => String(recv_q), true],
  ['Send-Q', ({ send_q }) => String(send_q), true],
  ['Local Address:Port', ({ local }) => local],
  ['Peer Address:Port', ({ remote }) => remote],
  ['rtt/var ms', ({ rtt_us, rttvar_us }) => `${ms(rtt_us)}/${ms(rttvar_us)}`, true],
  ['cwnd', ({ cwnd }) => String(cwnd), true],
  ['retrans', ({ retransmits }) => String(retransmits), true],
  [
    'Levels',
    ({ levels }) =>
      Object.entries(levels)
        .map(([level, count]) => `${level}:${count}`)
        .join(' '),
  ],
];

export function connectionsText(lines: readonly ConnectionLine[]): string {
  const cells = [COLUMNS.map(([head]) => head), ...lines.map((line) => COLUMNS.map(([, cell]) => cell(line)))];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((row) => (row[column] as string).length)));
  const pad = (text: string, column: number) =>
    COLUMNS[column]?.[2] === true ? text.padStart(widths[column] as number) : text.padEnd(widths[column] as number);
  return cells.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

interface Flags {
  limit: string;
  json?: boolean;
  pid?: string;
  url?: string;
  token?: string;
}

function whole(text: string | undefined, flag: string, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = parseCount(text);
  if (value !== undefined && value >= 1 && value <= most) return value;
  throw new Error(`${flag}: a whole number from 1 to ${most.toLocaleString('en-US')} is expected`);
}

async function list(words: readonly string[], flags: Flags): Promise<void> {
  const filter = words.join(' ');
  parseConnectionFilter(filter);
  const limit = whole(flags.limit, '--limit', LIMIT_MAX) ?? LIMIT;
  const client = new ProgramClient(
    { url: flags.url, token: flags.token, pid: whole(flags.pid, '--pid', 2 ** 22) },
    'server',
  );
  const found = await client.get<ConnectionsFound>(
    `/api/connections?limit=${limit}&filter=${encodeURIComponent(filter)}`,
  );
  process.stdout.write(flags.json ? `${JSON.stringify(found)}\n` : `${connectionsText(found.lines)}\n`);
  if (found.more)
    process.stderr.write(`there are more: these are the first ${found.lines.length}; a filter, or -n, shows others\n`);
}

export function ssCommand(): Command {
  const command = new Command('ss')
    .description('connections of a running server, as ss lists those of the kernel')
    .argument('[filter...]', 'as in ss, such as state established')
    .option('-n, --limit <n>', `at most so many, up to ${LIMIT_MAX.toLocaleString('en-US')}`, String(LIMIT))
    .option('--pid <n>', 'of this process, where several run')
    .option('--url <url>', 'by its dashboard, with the token behind #token=')
    .option('--token <token>', 'token of that dashboard')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXAMPLES);
  return command.action((words: string[]) => list(words, command.opts<Flags>()));
}
