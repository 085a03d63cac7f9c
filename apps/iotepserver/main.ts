// iotepserver: the command. Reads the configuration, starts the stack with server.ts in its app threads, says once a second
// what happens, and ends in order: stop accepting, finish what is under way, close, summary.
import { Command } from 'commander';
import { formatFault } from '../../stack/config/fault.js';
import { defaultRedis, firstRedis, formatRedisOf, redisFaultsOf } from '../../stack/config/redis-check.js';
import { formatSize } from '../../stack/config/units.js';
import type { Stack } from '../../stack/control.js';
import { start } from '../../stack/start.js';
import {
  openDashboard,
  programFlags,
  reloadOnHangup,
  ruleHitsText,
  runProgram,
  sayListening,
  settingsOf,
  stagesText,
  untilSignal,
} from '../launch.js';
import { type Sample, secondOf, secondText, summaryText } from './second.js';
import { LEVELS } from './server.js';
import { sumTallies, type TallyReport } from './tally.js';

const PERIOD_MS = 1_000;

const EXAMPLES = `
Examples:
  iotepserver -f iotepserver.conf -w 4 -i 32
  iotepserver --host-ip 10.0.0.1/16 --redis /tmp/redis-0.sock --answer all
  iotepserver -f iotepserver.conf --dashboard
  iotepserver -f iotepserver.conf --connections 10368000 --plan
^C stops in order and prints a summary, a second ^C quits.`;

function command(): Command {
  const program = new Command('iotepserver').description('IoT gateway: priority messages against Redis');
  return programFlags(program, ['redis', 'redis_cluster', 'redis_client', 'answer', 'reply', 'pri_enable'])
    .option('--stats', 'a line a second on stderr, also where stderr is no terminal')
    .option('--stats-json', 'one JSON object a second on stdout')
    .option('-p <n>', 'accepted and without effect, as in QStack')
    .addHelpText('after', EXAMPLES);
}

async function sampleOf(stack: Stack): Promise<Sample> {
  const apps = await stack.counts();
  const { counters } = stack.counters();
  return {
    atMs: Date.now(),
    connections: counters.connections_open ?? 0,
    tally: sumTallies(apps.flatMap(({ user }) => (user.tally === undefined ? [] : [user.tally as TallyReport]))),
    counters,
    handlersFailed: apps.reduce((sum, app) => sum + app.handlersFailed, 0),
    overload: await stack.overload(),
    hiccupP99Us: stack.hiccups(true).p99Us,
    rules: stack.ruleHits(),
    stages: await stack.sojourn(),
  };
}

interface Voices {
  human: boolean;
  json: boolean;
}

/** Says what each second brought until it is stopped; the last sample is the one after which it was stopped. */
class Watch {
  private before: Sample | undefined;
  private isStopped = false;

  constructor(
    private readonly stack: Stack,
    private readonly voices: Voices,
  ) {}

  async run(): Promise<void> {
    this.before = await sampleOf(this.stack);
    while (!this.isStopped) {
      await new Promise((done) => setTimeout(done, PERIOD_MS).unref());
      if (!this.isStopped) this.say(await sampleOf(this.stack));
    }
  }

  private say(now: Sample): void {
    const second = secondOf(now, this.before ?? now);
    this.before = now;
    if (this.voices.human) process.stderr.write(`${secondText(second)}\n`);
    if (this.voices.json) process.stdout.write(`${JSON.stringify(second)}\n`);
  }

  async stop(): Promise<Sample> {
    this.isStopped = true;
    return sampleOf(this.stack);
  }
}

async function main(): Promise<void> {
  const program = command();
  program.parse();
  const settings = settingsOf(program, LEVELS.length);
  const isGiven = settings.redis.length + settings.redisCluster.length > 0;
  if (!isGiven) settings.redis = defaultRedis();
  if (settings.redis.length + settings.redisCluster.length === 0) settings.redis = [firstRedis()];
  const faults = (await redisFaultsOf(settings)).map(formatFault);
  if (faults.length > 0 && isGiven) throw new Error(faults.join('\n'));
  for (const fault of faults) process.stderr.write(`${fault}; until then requests get error replies (warning)\n`);
  const stack = await start(new URL('./server.js', import.meta.url), settings);
  const signal = untilSignal();
  reloadOnHangup(stack, program);
  const { stats, statsJson } = program.opts<{ stats?: boolean; statsJson?: boolean }>();
  const human = stats === true || settings.statPrint || process.stderr.isTTY === true;
  const priorities = settings.priorities ? LEVELS.join(' > ') : 'off';
  sayListening(
    stack,
    `redis ${formatRedisOf(settings)}, priorities ${priorities}, up to ${settings.connectionsMax} connections, ` +
      `${formatSize(stack.plannedBytes)} planned`,
    statsJson,
  );
  const dashboard = await openDashboard(stack, 'iotepserver', statsJson);
  const watch = new Watch(stack, { human: human && statsJson !== true, json: statsJson === true });
  void watch.run();
  await signal;
  const last = await watch.stop();
  const hits = stack.ruleHits();
  await dashboard.close();
  await stack.stop();
  process.stderr.write(
    `${summaryText(last)}\nframes by rule:\n${ruleHitsText(hits)}\ntime by stage:\n${stagesText(last.stages)}\n`,
  );
}

await runProgram('iotepserver', main);
