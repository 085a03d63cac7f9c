// Options of `npm start`: what is shown when nothing is said, and the flags that change it.
import { Command } from 'commander';
import { parseCount, parseDurationMs, parseRatePerS, parseShare } from '../../stack/config/units.js';

export interface StartOptions {
  connections: number;
  /** Messages a second; undefined: waves and overload are shown. */
  ratePerS: number | undefined;
  durationMs: number;
  /** Messages of one wave; there is one a second. */
  burst: number;
  highShare: number;
  /** Undefined: as many as suit the cores. */
  redisServers: number | undefined;
  seed: number;
  json: boolean;
}

const EXAMPLES = `
Examples:
  npm start
  npm start -- --connections 1000000 --rate 100000 --duration 30s
  npm start --silent -- --json > result.json`;

export function startCommand(): Command {
  return new Command('npm start --')
    .description('iotepserver against Redis under mcc, with priorities on and off')
    .option('--connections <n>', 'connections that are held', '100000')
    .option('--rate <rate>', 'a constant rate instead of waves and overload, such as 100k/s')
    .option('--duration <time>', 'length of the main run', '10s')
    .option('--burst <n>', 'messages of a wave, one wave a second', '20000')
    .option('--high <share>', 'share of messages at the high level', '0.05')
    .option('--redis <n>', 'Redis servers; otherwise one for each core that is left to Redis')
    .option('--seed <n>', "seed of the generator's choices", '1')
    .option('--json', 'one JSON object on stdout, and nothing else')
    .allowExcessArguments(false)
    .addHelpText('after', EXAMPLES);
}

type Texts = Readonly<Record<string, string | boolean | undefined>>;

interface Rule {
  name: string;
  read: (text: string) => number | undefined;
  min: number;
  max: number;
  accepts: string;
}

const RULES: Record<string, Rule> = {
  connections: { name: '--connections', read: parseCount, min: 1, max: 16_777_216, accepts: '1 to 16,777,216' },
  rate: { name: '--rate', read: parseRatePerS, min: 1, max: 1e8, accepts: 'a rate from 1/s on, such as 5k/s' },
  duration: {
    name: '--duration',
    read: (text) => parseDurationMs(text, 1_000),
    min: 1_000,
    max: 86_400_000,
    accepts: 'a duration from 1s to 24h',
  },
  burst: { name: '--burst', read: parseCount, min: 1, max: 16_777_216, accepts: '1 to 16,777,216' },
  high: { name: '--high', read: parseShare, min: 0, max: 1, accepts: 'a share from 0 to 1, such as 0.05' },
  redis: { name: '--redis', read: parseCount, min: 1, max: 16, accepts: '1 to 16' },
  seed: { name: '--seed', read: parseCount, min: 0, max: Number.MAX_SAFE_INTEGER, accepts: 'a whole number' },
};

/** Options, or every fault as a sentence. */
export function readStartOptions(texts: Texts): StartOptions | string[] {
  const faults: string[] = [];
  const read = (key: string): number => {
    const { name, read: parse, min, max, accepts } = RULES[key] as Rule;
    const text = String(texts[key]);
    const value = parse(text);
    if (value !== undefined && value >= min && value <= max) return value;
    faults.push(`${name}: "${text}" is not accepted; ${accepts}`);
    return 0;
  };
  const options: StartOptions = {
    connections: read('connections'),
    ratePerS: texts.rate === undefined ? undefined : read('rate'),
    durationMs: read('duration'),
    burst: read('burst'),
    highShare: read('high'),
    redisServers: texts.redis === undefined ? undefined : read('redis'),
    seed: read('seed'),
    json: texts.json === true,
  };
  return faults.length > 0 ? faults : options;
}
