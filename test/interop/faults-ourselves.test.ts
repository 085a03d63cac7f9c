// Two stacks of ours over memif, one of them with faults in both directions: every byte arrives all the same.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { Program } from '../apps/program.js';
import { assertDamaged, assertEchoed, FAULT_BYTES, faultKeys, flagsOf } from './faults.js';
import { type EchoResult, sayRate } from './kernel-peers.js';
import { resultOf } from './namespace.js';

const faults = suite<{ folder: string; programs: Program[] }>('faults between two stacks of ours');

faults.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-faults-'));
  context.programs = [];
});
faults.after(async ({ folder, programs }) => {
  for (const program of programs) await program.stop('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface ClientResult extends EchoResult {
  faults?: Record<string, number>;
}

faults('10 MB come back byte for byte over memif', async ({ folder, programs }) => {
  const seed = Number(process.env.QSTACK_SEED ?? Date.now() % 2 ** 31);
  const socket = join(folder, 'memif', 'q.sock');
  const keys = { device: `memif:${socket}?server`, host_ip: '10.0.0.1/16', port: '7', rto_min: '20ms' };
  const server = new Program('apps/echo_server/main.js', ['--http-port', '0', '--root', folder, ...flagsOf(keys)]);
  programs.push(server);
  await server.said('listening');
  const ours = { device: `memif:${socket}?client`, host_ip: '10.0.0.2/16', ...faultKeys(seed) };
  const pairs = Object.entries(ours).map(([key, value]) => `${key}=${value}`);
  const args = ['10.0.0.1', '7', `${FAULT_BYTES}`, ...pairs];
  const client = new Program('test/interop/peers/stack-client.js', args);
  programs.push(client);
  const result = await resultOf<ClientResult>(client);
  sayRate(`echo, 10 MB with faults over memif, seed ${seed}`, result.bytes, result.seconds);
  assertEchoed(result);
  assertDamaged(result.faults);
});

faults.run();
