// `npm start` that is stopped half-way: in order, soon, and with nothing left behind.
// watchdog: 240s
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { leftIn } from './leftovers.js';

const MAIN = fileURLToPath(new URL('../../tools/start/main.js', import.meta.url));
const stop = suite('npm start, stopped');
let folder = '';
let child: ChildProcess | undefined;

stop.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-stop-'));
});
stop.after.each(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Processes whose command line names our folder. */
function running(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      const path = `/proc/${pid}/cmdline`;
      return existsSync(path) ? readSafely(path) : '';
    })
    .filter((command) => command.includes(folder));
}

function readSafely(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function startUntil(words: string): Promise<ChildProcess> {
  const flags = ['--connections', '200', '--rate', '200', '--duration', '60s', '--redis', '1', '--json'];
  const started = spawn(process.execPath, [MAIN, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  });
  child = started;
  for await (const line of createInterface({ input: started.stderr as NonNullable<typeof started.stderr> })) {
    if (line.includes(words)) break;
  }
  return started;
}

stop('the first ^C ends all processes in order, with exit 1 and no result', async () => {
  const started = await startUntil('connections are open');
  assert.ok(running().length >= 3, running().join('\n'));
  let out = '';
  started.stdout?.on('data', (bytes: Buffer) => {
    out += bytes.toString();
  });
  started.stderr?.resume();
  started.kill('SIGINT');
  assert.equal(await once(started, 'exit'), [1, null]);
  assert.is(out, '');
  assert.equal(running(), []);
  assert.equal(leftIn(folder), []);
});

stop('nothing outlives a start that is killed outright', async () => {
  const started = await startUntil('connections are open');
  started.kill('SIGKILL');
  const deadline = Date.now() + 5_000;
  while (running().length > 0 && Date.now() < deadline) await new Promise((wake) => setTimeout(wake, 20));
  assert.equal(running(), []);
});

stop('a fault of the server is the server’s own sentence, and everything else ends', async () => {
  const started = await startUntil('redis-server on private sockets');
  let said = '';
  started.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const servers = () => {
    const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
    const commands = pids.map((pid) => [Number(pid), readSafely(`/proc/${pid}/cmdline`)] as const);
    return commands.filter(([, command]) => command.includes(folder) && command.includes('iotepserver.mjs'));
  };
  for (let found = servers(); ; found = servers()) {
    for (const [pid] of found) process.kill(pid, 'SIGKILL');
    if (found.length > 0) break;
    await new Promise((wake) => setTimeout(wake, 10));
  }
  assert.equal(await once(started, 'exit'), [1, null]);
  assert.match(said, /iotepserver ended by itself/);
  assert.equal(running(), []);
});

stop.run();
