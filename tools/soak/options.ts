// Options of `npm run soak`.
import { Command, InvalidArgumentError } from 'commander';
import { parseCount, parseRatePerS } from '../../stack/config/units.js';
import { PLANTS, type Plant } from './plants.js';

export interface SoakOptions {
  readonly minutes: number;
  readonly connections: number;
  /** Messages of all devices together, where Redis is there. */
  readonly ratePerS: number;
  readonly stackThreads: number;
  readonly appThreads: number;
  /** The app threads run the stacks, one each. */
  readonly isShared: boolean;
  readonly seed: number;
  /** Faults that must be found. */
  readonly plants: readonly Plant[];
  readonly progressMs: number;
  readonly isVerbose: boolean;
  readonly isJson: boolean;
}

interface Flags {
  readonly minutes: number;
  readonly connections: number;
  readonly rate: number;
  readonly stackThreads: number;
  readonly appThreads: number;
  readonly shared?: true;
  readonly seed?: number;
  readonly plant: readonly Plant[];
  readonly verbose?: true;
  readonly json?: true;
}

const CONNECTIONS_MAX = 20_000;
const STACKS_MAX = 4;
const APPS_MAX = 8;
const PROGRESS_MS = 5_000;

const EXAMPLES = `
Examples:
  npm run soak -- --minutes 60                     what a release is tried with
  npm run soak -- --minutes 0.2 --verbose          a short form, with every trouble as it comes
  npm run soak -- --minutes 10 --seed 7 --connections 5000 --rate 10k/s
  npm run soak --silent -- --minutes 10 --json > soak.json
^C ends the load and checks what was promised so far; a second ^C quits.
Exit 0: every promise was kept; 1: one was broken, and a sentence says which; 2: usage.`;

function positive(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('a number above 0 is expected');
}

function whole(max: number): (text: string) => number {
  return (text) => {
    const value = parseCount(text);
    if (value !== undefined && value >= 1 && value <= max) return value;
    throw new InvalidArgumentError(`a whole number from 1 to ${max.toLocaleString('en-US')} is expected`);
  };
}

function rate(text: string): number {
  const value = parseRatePerS(text);
  if (value !== undefined && value > 0) return value;
  throw new InvalidArgumentError('a rate such as 5k/s is expected');
}

function planted(text: string, before: readonly Plant[]): Plant[] {
  const plant = PLANTS.find((name) => name === text);
  if (plant !== undefined) return [...before, plant];
  throw new InvalidArgumentError(`one of ${PLANTS.join(', ')} is expected`);
}

function command(): Command {
  return new Command('soak')
    .description('iotepserver under devices that come and go, while Redis restarts, rules change and app threads die')
    .option('--minutes <m>', 'how long, fractions allowed', positive, 1)
    .option('--connections <n>', 'devices', whole(CONNECTIONS_MAX), 1_000)
    .option('--rate <rate>', 'messages of all devices together', rate, 3_000)
    .option('--stack-threads <n>', 'of the server', whole(STACKS_MAX), 1)
    .option('--app-threads <n>', 'of the server', whole(APPS_MAX), 2)
    .option('--shared', 'the app threads run the stacks, one each, in place of stack threads')
    .option(
      '--seed <n>',
      'of the troubles and of what devices do (default: a fresh one)',
      whole(Number.MAX_SAFE_INTEGER),
    )
    .option('--plant <fault>', `a fault that must be found: ${PLANTS.join(', ')}; may be repeated`, planted, [])
    .option('--verbose', 'each trouble as it comes, on stderr')
    .option('--json', 'one object on stdout, and nothing else')
    .allowExcessArguments(false)
    .addHelpText('after', EXAMPLES)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

export function readOptions(argv: readonly string[]): SoakOptions {
  const flags = command().parse(argv, { from: 'user' }).opts<Flags>();
  return {
    minutes: flags.minutes,
    connections: flags.connections,
    ratePerS: flags.rate,
    stackThreads: flags.shared ? flags.appThreads : flags.stackThreads,
    appThreads: flags.appThreads,
    isShared: flags.shared === true,
    seed: flags.seed ?? Date.now() % 1_000_000_000,
    plants: flags.plant,
    progressMs: PROGRESS_MS,
    isVerbose: flags.verbose === true,
    isJson: flags.json === true,
  };
}
