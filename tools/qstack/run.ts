// `qstack run module.js`: a module whose default export is made by serve(), on the air until it is stopped.
// In: the module and a configuration. Out: the line `listening …`, and an orderly end after SIGTERM or ^C.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import {
  openDashboard,
  overloadText,
  programFlags,
  reloadOnHangup,
  ruleHitsText,
  runProgram,
  sayListening,
  settingsOf,
  stagesText,
  untilSignal,
} from '../../apps/launch.js';
import { formatFault } from '../../stack/config/fault.js';
import { defaultRedis, formatRedisOf, redisFaultsOf } from '../../stack/config/redis-check.js';
import { formatSize } from '../../stack/config/units.js';
import { isServeDefinition, notADefinition } from '../../stack/serve.js';
import { start } from '../../stack/start.js';

const EXAMPLES = `
Examples:
  qstack run server.js
  qstack run server.js -f server.conf --port 7000
  qstack run server.js -f server.conf --stats
  qstack run server.js --dashboard                    the live page, at the address that it prints
  qstack run server.js --plan
SIGHUP reads the file of -f again and replaces its rules and policy; other settings stay.`;

const PERIOD_MS = 1_000;

async function levelsOf(url: URL): Promise<readonly string[]> {
  if (!existsSync(url)) throw new Error(`${url.pathname}: there is no such module`);
  const definition = ((await import(url.href)) as { default?: unknown }).default;
  if (isServeDefinition(definition)) return definition.levels;
  throw notADefinition(`${url.pathname} has no default export made by serve()`);
}

async function run(path: string, command: Command): Promise<void> {
  const url = pathToFileURL(resolve(path));
  const levels = await levelsOf(url);
  const settings = settingsOf(command, levels.length);
  if (settings.redis.length + settings.redisCluster.length === 0) settings.redis = defaultRedis();
  const faults = await redisFaultsOf(settings);
  if (faults.length > 0) throw new Error(faults.map(formatFault).join('\n'));
  const stack = await start(url, settings);
  const signal = untilSignal();
  reloadOnHangup(stack, command);
  const say = async () => {
    const stages = stagesText(await stack.sojourn());
    const overload = overloadText(await stack.overload());
    process.stderr.write(
      `frames by rule:\n${ruleHitsText(stack.ruleHits())}\ntime by stage:\n${stages}\noverload by level:\n${overload}\n`,
    );
  };
  const stats = command.getOptionValue('stats') === true;
  const watch = stats ? setInterval(() => void say(), PERIOD_MS).unref() : undefined;
  const planned = `up to ${settings.connectionsMax} connections, ${formatSize(stack.plannedBytes)} planned`;
  sayListening(stack, `levels ${levels.join(' > ')}, redis ${formatRedisOf(settings)}, ${planned}`);
  const dashboard = await openDashboard(stack, 'qstack run');
  await signal;
  clearInterval(watch);
  if (stats) await say();
  await dashboard.close();
  await stack.stop();
}

export function runCommand(): Command {
  const command = new Command('run')
    .description('runs a module made by serve()')
    .argument('<module>', 'such as server.js');
  return programFlags(command, ['redis', 'redis_cluster'])
    .option(
      '--stats',
      'once a second on stderr: how many frames each rule has given their level, times by stage, and what was deferred, moved or shed',
    )
    .addHelpText('after', EXAMPLES)
    .action((path: string) => runProgram('qstack run', () => run(path, command)));
}
