// `qstack redis up | down | status`: the private Redis servers, from a shell.
import type { ChildProcess } from 'node:child_process';
import { Command } from 'commander';
import { defaultRedisDir, redisDown, redisStatus, redisUp } from './servers.js';

interface RedisOptions {
  servers: string;
  dir: string;
  foreground?: boolean;
}

const EXAMPLES = `
Examples:
  qstack redis up -n 2              two servers, which stay when the shell ends
  qstack redis up -n 1 --foreground one server, until ^C
  qstack redis status               sockets of those that run
  qstack redis down                 ends what \`up\` started, and nothing else`;

/** Stays until a signal comes or a server ends by itself; then all of them end. */
async function stay(children: readonly ChildProcess[], dir: string): Promise<void> {
  const why = await new Promise<'asked' | 'ended'>((done) => {
    process.once('SIGINT', () => done('asked')).once('SIGTERM', () => done('asked'));
    for (const child of children) child.once('exit', () => done('ended'));
  });
  if (why === 'ended') process.stderr.write('a redis-server ended by itself: the others end too\n');
  await redisDown(dir);
  if (why === 'ended') process.exitCode = 1;
}

async function up({ servers, dir, foreground }: RedisOptions): Promise<void> {
  const children: ChildProcess[] = [];
  const started = await redisUp(Number(servers), dir, foreground === true ? children : undefined);
  for (const { socket } of started) process.stdout.write(`${socket}\n`);
  if (foreground === true) await stay(children, dir);
}

async function down({ dir }: RedisOptions): Promise<void> {
  const count = await redisDown(dir);
  process.stderr.write(`${count} redis-server${count === 1 ? '' : 's'} ended\n`);
}

function status({ dir }: RedisOptions): void {
  const running = redisStatus(dir);
  for (const { pid, socket } of running) process.stdout.write(`${socket}  pid ${pid}\n`);
  if (running.length === 0) process.stderr.write(`no redis-server of ours runs in ${dir}\n`);
}

export function redisCommand(): Command {
  const command = new Command('redis')
    .description('private redis-server processes on unix sockets')
    .addHelpText('after', EXAMPLES);
  const dir: [string, string, string] = ['--dir <folder>', 'folder of the sockets, mode 0700', defaultRedisDir()];
  command
    .command('up')
    .description('sees that servers 0 … n-1 run, and prints their sockets')
    .option('-n, --servers <n>', 'how many', '1')
    .option(...dir)
    .option('--foreground', 'stay, and end them with this command')
    .action(up);
  command
    .command('down')
    .description('ends those that `up` started')
    .option(...dir)
    .action(down);
  command
    .command('status')
    .description('prints those that run')
    .option(...dir)
    .action(status);
  return command;
}
