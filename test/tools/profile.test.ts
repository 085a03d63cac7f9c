// `npm run profile`: what a packet costs is counted here as it is by hand, and compared with the table; then one run each of what
// tells where time goes in JavaScript and in native threads, against real Redis.
// watchdog: 240s
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCpuProfile } from '../../tools/profile/app.js';
import { inclusive, readCallgrind } from '../../tools/profile/callgrind.js';
import {
  changePercent,
  type InstructionTable,
  incomparable,
  KINDS,
  type PerPacket,
  worse,
  writeTable,
} from '../../tools/profile/instructions.js';
import { largest, shortName, sumOf } from '../../tools/profile/largest.js';
import { perfRefusal, readPerfReport } from '../../tools/profile/stack.js';

const MAIN = fileURLToPath(new URL('../../tools/profile/main.js', import.meta.url));
const FEW = ['--connections', '200', '--top', '10000', '--json'];

const profile = suite('profile');
let folder = '';
let child: ChildProcess | undefined;

profile.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-profile-'));
});
profile.after.each(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function run(args: string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });
}

/** Processes whose command line names our folder. */
function running(): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(folder);
    } catch {
      return false;
    }
  });
}

const CALLGRIND = `# callgrind format
version: 1
positions: line
events: Ir
summary: 1000

ob=(1) /usr/bin/program
fl=(1) ???
fn=(1) main
16 20
cfn=(2) turn(unsigned long)
calls=3 50
+1 400
cfi=(2) copy.S
cfn=(3) copy
calls=1 0
* 7
-2 5

fn=(2)
0 100
fi=(2)
0
fe=(1)
cfn=(3)
calls=2 0
0 300

fl=(2)
fn=(3)
7 306

fl=(1)
fn=(2)
9 11
`;

profile('callgrind: names are given once, positions may be relative, and a function may come in several blocks', () => {
  const costs = readCallgrind(CALLGRIND);
  assert.equal([...costs.keys()], ['main', 'turn(unsigned long)', 'copy']);
  assert.is(costs.get('main')?.self, 25);
  assert.equal(
    [...(costs.get('main')?.calls ?? [])],
    [
      ['turn(unsigned long)', 400],
      ['copy', 7],
    ],
  );
  assert.is(costs.get('turn(unsigned long)')?.self, 111);
  assert.is(costs.get('copy')?.self, 306);
});

profile(
  'callgrind: what a function costs is its own and that of its calls; between its parts nothing counts twice',
  () => {
    const costs = readCallgrind(CALLGRIND);
    assert.is(
      inclusive(costs, (name) => name.startsWith('turn')),
      411,
    );
    assert.is(
      inclusive(costs, (name) => name !== 'copy'),
      25 + 7 + 111 + 300,
    );
  },
);

profile('callgrind: a file with other columns is refused, not misread', () => {
  assert.throws(() => readCallgrind(CALLGRIND.replace('events: Ir', 'events: Cycles')), /no output of callgrind/);
  assert.throws(
    () => readCallgrind(CALLGRIND.replace('positions: line', 'positions: instr')),
    /no output of callgrind/,
  );
});

profile('names: parameters, our namespace and what the compiler made of a function are left out', () => {
  assert.is(shortName('qstack::Stack::send(qstack::Handle, bool) [clone .isra.0] [clone .cold]'), 'Stack::send');
  assert.is(shortName('qstack::(anonymous namespace)::sum(unsigned char const*) const'), 'sum');
  assert.is(shortName('memcpy'), 'memcpy');
});

const even = Object.fromEntries(KINDS.map((kind) => [kind, 1_000])) as PerPacket;

profile('more than five percent is worse, five are not, and less never is', () => {
  assert.equal(worse({ ...even, syn: 1_050, fin: 500 }, even), []);
  assert.equal(worse({ ...even, data_in: 1_051 }, even), [
    'data_in: 1051 instructions per packet instead of 1000, 5.1 % more; at most 5 % are accepted',
  ]);
});

profile('a kind of packet that the table does not know is a fault', () => {
  const { fin, ...without } = even;
  assert.is(worse(even, without as PerPacket).length, 1, `${fin}`);
});

profile('tables of other compilers, and of CPUs with other vector instructions, do not compare', () => {
  const maker = { compiler: 'c++ 12', avx2: true };
  assert.is(incomparable(maker, maker), undefined);
  assert.match(incomparable(maker, { ...maker, compiler: 'c++ 13' }) ?? '', /c\+\+ 12.*c\+\+ 13/);
  assert.match(incomparable({ ...maker, avx2: false }, maker) ?? '', /AVX2/);
});

interface Counted extends InstructionTable {
  before: PerPacket;
  compared: boolean;
  functions: Record<string, { function: string; cost: number }[]>;
}

/** They are counted with fewer rounds. */
function functionsAddUp({ instructions, functions }: Counted): void {
  for (const kind of KINDS) {
    const shares = functions[kind] ?? [];
    assert.ok(
      shares.some(({ function: name }) => name.startsWith('Stack::')),
      kind,
    );
    const sum = shares.reduce((all, { cost }) => all + cost, 0);
    assert.ok(Math.abs(changePercent(sum, instructions[kind])) <= 3, `${kind}: ${sum} of ${instructions[kind]}`);
  }
}

profile('no kind of packet costs more than 5 % more instructions than docs/benchmarks/instructions.json says', () => {
  const { status, stdout, stderr } = run(['instructions', '--check', '--functions', '--json', '--top', '10000']);
  assert.is(status, 0, stderr);
  const now = JSON.parse(stdout) as Counted;
  for (const kind of KINDS) assert.ok(now.instructions[kind] > 100, kind);
  if (now.compared)
    for (const kind of KINDS) assert.ok(changePercent(now.instructions[kind], now.before[kind]) <= 5, kind);
  else assert.match(stderr, /not compared/);
  functionsAddUp(now);

  // Against a table in which one kind was cheaper: the same figures again, and the difference.
  const file = join(folder, 'table.json');
  const data_in = Math.round(now.instructions.data_in * 9) / 10;
  const { compiler, avx2 } = now;
  writeTable(file, { compiler, avx2, instructions: { ...now.instructions, data_in } });
  const worseRun = run(['instructions', '--check', '--table', file]);
  assert.is(worseRun.status, 1, worseRun.stderr);
  const said = worseRun.stderr.split('\n').filter((line) => line.includes('instead of'));
  assert.is(said.length, 1, worseRun.stderr);
  assert.match(
    said[0] ?? '',
    `data_in: ${now.instructions.data_in} instructions per packet instead of ${data_in}, 11.1 % more`,
  );
  for (const kind of KINDS.filter((one) => one !== 'data_in'))
    assert.match(worseRun.stdout, new RegExp(`${kind} .* 0\\.0 % `), kind);
});

profile('instructions: a ^C stops the count and leaves nothing behind', async () => {
  child = spawn(process.execPath, [MAIN, 'instructions'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  });
  while (running().length === 0) await new Promise((wake) => setTimeout(wake, 10));
  child.kill('SIGINT');
  assert.equal(await once(child, 'exit'), [1, null]);
  assert.equal(running(), []);
  assert.equal(readdirSync(folder), []);
});

profile('a check without a table fails: it would compare nothing', () => {
  const { status, stderr } = run(['instructions', '--check', '--table', join(folder, 'none.json')]);
  assert.is(status, 1);
  assert.match(stderr, /there is no .*none\.json to compare with/);
});

profile('a profile of V8: time by function, without the time in which the thread waited', () => {
  const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });
  const nodes = [
    { id: 1, callFrame: frame('(idle)') },
    { id: 2, callFrame: frame('serve', 'file:///server.js', 9) },
    { id: 3, callFrame: frame('serve', 'file:///server.js', 9) },
    { id: 4, callFrame: frame('', 'file:///server.js', 0) },
  ];
  const text = JSON.stringify({ nodes, samples: [1, 2, 3, 4], timeDeltas: [9_000, 1_000, 2_000, 1_000] });
  const read = readCpuProfile('a thread', text);
  assert.is(sumOf(read), 4);
  assert.equal(largest(read, 1), [{ function: 'serve  file:///server.js:10', cost: 3, percent: 75 }]);
});

profile('a report of perf: time by thread, without threads that hardly ran; what V8 compiled is one line', () => {
  const text = `
500   |  7:node   |stack0   |qstack.node        |[.] qstack::Stack::turn(unsigned long)
100   |  7:node   |stack0   |[kernel.kallsyms]  |[k] schedule
300   |  8:node   |node     |[JIT] tid 6        |[.] 0x00007f449400a95a
 97   |  8:node   |node     |[JIT] tid 6        |[.] 0x00007f449400a940
  1   |  9:node   |node     |libuv.so           |[.] uv_run
`;
  const [first, second, ...others] = readPerfReport(text, (tid) => `program ${tid}`);
  assert.is(first?.name, 'program 7: stack0 7');
  assert.equal([...(first?.costs.keys() ?? [])], ['Stack::turn', 'schedule (kernel)']);
  assert.equal([...(second?.costs.keys() ?? [])], ['(JavaScript)']);
  assert.equal(others, []);
});

interface Told {
  thread: string;
  functions: { function: string; cost: number }[];
}

profile(
  'app: a ^C ends it early and in order; iotepserver’s handlers are found in the profile of its app thread',
  async () => {
    const args = [MAIN, 'app', ...FEW, '--duration', '60s', '--out', join(folder, 'out')];
    child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: folder },
    });
    let out = '';
    child.stdout?.on('data', (bytes) => (out += bytes));
    const ended = once(child, 'exit');
    const lines: string[] = [];
    createInterface({ input: child.stderr as NonNullable<typeof child.stderr> }).on('line', (line) => {
      lines.push(line);
      // A second of load.
      if (line.includes('connections are open')) setTimeout(() => child?.kill('SIGINT'), 1_000);
    });
    assert.equal(await ended, [0, null], lines.join('\n'));
    assert.equal(running(), []);
    const threads = JSON.parse(out) as Told[];
    assert.is(readdirSync(join(folder, 'out')).length, threads.length);
    const workers = threads.filter(({ thread }) => thread.startsWith('worker thread'));
    const functions = workers.flatMap((one) => one.functions.map(({ function: name }) => name));
    assert.ok(
      functions.some((name) => name.includes('dist/apps/iotepserver/server.js')),
      functions.join('\n'),
    );
  },
);

/** Each thread is busy in a function of its own. */
const BURNING = `
import { isMainThread, Worker } from 'node:worker_threads';
let sum = 0;
function burnInMain() { for (let i = 0; i < 1e6; i++) sum += Math.sin(i); }
function burnInWorker() { for (let i = 0; i < 1e6; i++) sum += Math.cos(i); }
if (isMainThread) new Worker(new URL(import.meta.url));
for (let round = 0; round < 30; round++) isMainThread ? burnInMain() : burnInWorker();
`;

profile('app: a script of one’s own is profiled until it ends', () => {
  const script = join(folder, 'script.mjs');
  writeFileSync(script, BURNING);
  const { status, stdout, stderr } = run([
    'app',
    '--json',
    '--out',
    join(folder, 'out'),
    script,
    '--a-flag-of-its-own',
  ]);
  assert.is(status, 0, stderr);
  const threads = JSON.parse(stdout) as Told[];
  for (const [name, called] of [
    ['main thread', 'burnInMain'],
    ['worker thread', 'burnInWorker'],
  ] as const) {
    const found = threads.find(({ thread }) => thread.startsWith(name));
    assert.ok(found?.functions[0]?.function.startsWith(called), JSON.stringify(found));
  }
});

profile(
  'stack: the stack’s turns are found in its thread, and mcc’s in its own; or why perf cannot record is said',
  () => {
    const refusal = perfRefusal();
    const { status, stdout, stderr } = run(['stack', ...FEW, '--duration', '1s']);
    if (refusal !== undefined) {
      assert.is(status, 1);
      return assert.ok(stderr.includes(refusal), stderr);
    }
    assert.is(status, 0, stderr);
    const threads = JSON.parse(stdout) as Told[];
    for (const name of ['iotepserver: qstack-stack0', 'mcc: mcc']) {
      const found = threads.find(({ thread }) => thread.startsWith(name));
      const functions = found?.functions.map((one) => one.function) ?? [];
      assert.ok(
        functions.some((one) => /^(Stack|mcc|RingPort|TcpEngine|DpdkPort)\b/.test(one)),
        `${name}: ${functions.join(' ')}`,
      );
    }
  },
);

profile('stack: without perf the command that installs it is named', () => {
  const { status, stderr } = run(['stack'], { PATH: folder });
  assert.is(status, 1);
  assert.match(stderr, /perf is not installed: as root, `apt-get install linux-perf`/);
});

profile('what is no member, and flags with values that they cannot have, are refused with exit 2', () => {
  for (const args of [[], ['memory'], ['stack', '--pid', 'x'], ['app', '--duration', 'long']])
    assert.is(run(args).status, 2, args.join(' '));
});

profile.run();
