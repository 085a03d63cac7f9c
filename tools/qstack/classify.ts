// `qstack classify --explain FILE.pcap`: which rule gives each frame of a capture its level, and why.
// In: a capture and rules, of a module, a configuration, the command line. Out: a line a frame and a summary, or JSON.
// Exit 0 ok, 1 the capture, a rule or a level is refused, 2 usage.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { parseRule } from '../../stack/classifier.js';
import { settingsOrExit } from '../../stack/config/load.js';
import { QstackError } from '../../stack/errors.js';
import { loadNative } from '../../stack/native.js';
import { isServeDefinition, notADefinition, type RuleSource, rulesOf } from '../../stack/serve.js';
import { explainCapture, frameLine, type RuleTable, summaryLines } from './explained.js';

const EXAMPLES = `
Examples:
  qstack classify --explain traffic.pcap --rule 'payload[5] == 1 and length > 80 -> high'
  qstack classify --explain traffic.pcap --rule 'pcap "tcp[37] = 1 and greater 81" -> high' --json
  qstack classify --explain traffic.pcap -f server.conf
  qstack classify server.js --explain traffic.pcap -f server.conf --limit 100
A rule's line, all fields: docs/priority.md. Rules of --rule come first, then those of the file, then those of the module.`;

interface Options {
  readonly explain: string;
  readonly rule?: readonly string[];
  readonly config?: string;
  readonly levels?: readonly string[];
  readonly otherwise?: string;
  readonly limit: number;
  readonly json?: true;
}

function positive(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (Number.isSafeInteger(value) && value > 0 && value < 2 ** 32) return value;
  throw new InvalidArgumentError('a whole number above 0 is expected');
}

const names = (text: string) => text.split(/[\s,]+/).filter((name) => name !== '');
const collected = (text: string, before: readonly string[] = []) => [...before, text];

async function moduleRules(path: string): Promise<RuleSource> {
  const url = pathToFileURL(resolve(path));
  const definition = ((await import(url.href)) as { default?: unknown }).default;
  if (isServeDefinition(definition)) return definition;
  throw notADefinition(`${url.pathname} has no default export made by serve()`);
}

async function tableOf(path: string | undefined, options: Options): Promise<RuleTable> {
  const settings = options.config === undefined ? undefined : settingsOrExit({ file: options.config });
  const own = path === undefined ? undefined : await moduleRules(path);
  const levels = options.levels ?? own?.levels ?? settings?.levels ?? ['high', 'low'];
  const otherwise = options.otherwise ?? own?.otherwise ?? (levels.at(-1) as string);
  if (!levels.includes(otherwise)) {
    throw new QstackError(
      'QST_ERR_INVALID_ARGUMENT',
      `--otherwise ${otherwise}: one of ${levels.join(', ')} is expected`,
    );
  }
  const source = { levels, otherwise, rules: own?.rules ?? [] };
  const lines = (settings?.classify ?? []).map((line) => line.text);
  const first = (options.rule ?? []).map((line) => parseRule(line, levels));
  return { levels, otherwise, rules: [...first, ...rulesOf(source, { lines })], payloadAt: settings?.payloadAt ?? 0 };
}

async function run(path: string | undefined, options: Options): Promise<void> {
  const table = await tableOf(path, options);
  const capture = explainCapture(loadNative().captureFrames(options.explain, options.limit), table);
  const text = options.json
    ? JSON.stringify({ levels: table.levels, ...capture })
    : [...capture.frames.map(frameLine), ...summaryLines(capture, table.otherwise)].join('\n');
  process.stdout.write(`${text}\n`);
}

export function classifyCommand(): Command {
  return new Command('classify')
    .description('says which rule gives each frame of a capture its level, and why')
    .argument('[module]', 'made by serve(), for its levels and rules')
    .requiredOption('--explain <file>', 'a capture of Ethernet frames (pcap or pcapng)')
    .option('--rule <line>', 'a rule as in a configuration; may be repeated', collected)
    .option('-f, --config <file>', 'configuration whose rules are tried')
    .option('--levels <names>', 'highest first; default: those of the module or the file, or high, low', names)
    .option('--otherwise <level>', 'level of what no rule matches; default the lowest')
    .option('--limit <n>', 'so many frames at most', positive, 100_000)
    .option('--json', 'one object with every frame on stdout')
    .addHelpText('after', EXAMPLES)
    .action((path: string | undefined, options: Options) => run(path, options));
}
