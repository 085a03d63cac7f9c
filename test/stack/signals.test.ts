// SIGTERM and ^C end a process in order.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const program = fileURLToPath(new URL('./fixtures/signals.js', import.meta.url));

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} stops the stack, and the process ends by itself with exit 0`, async () => {
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const insist = setTimeout(() => child.kill('SIGKILL'), 20_000);
    let said = '';
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
      if (said === 'on the air\n') child.kill(signal);
    });
    const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
    clearTimeout(insist);
    assert.equal([code, killedBy, said], [0, null, 'on the air\ndown\n']);
  });
}

test.run();
