// The parts of a cluster, one by one: addresses of a Redis, clocks, shares, what a lost worker counts as.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Clock } from '../../tools/mcc/cluster/clock.js';
import { LOST_MS, Member, plannedMessages } from '../../tools/mcc/cluster/members.js';
import { type Create, decodeRequest, encode, VERSION, versionOf } from '../../tools/mcc/cluster/protocol.js';
import { sharesOf } from '../../tools/mcc/cluster/shares.js';
import { parsePlace } from '../../tools/mcc/cluster/store.js';
import { mccCommand } from '../../tools/mcc/command.js';
import type { WorkerResult } from '../../tools/mcc/native.js';
import { readOptions } from '../../tools/mcc/options.js';
import { formatWorkers, workersReport } from '../../tools/mcc/workers-report.js';

function shares(line: string, count: number) {
  const command = mccCommand();
  command.parse(line.split(' '), { from: 'user' });
  const { options, faults } = readOptions(command.opts(), 2);
  if (options === undefined) throw new Error(faults.join('\n'));
  return sharesOf(command.opts(), options, count);
}

test('an address of a Redis has a key, and faults are sentences', () => {
  const place = parsePlace('redis://h:7000/load.1');
  assert.is(typeof place === 'string' ? place : place.key, 'load.1');
  const plain = parsePlace('redis://h');
  assert.is(typeof plain === 'string' ? plain : plain.key, 'mcc');
  assert.match(parsePlace('redis://h/a b') as string, /other characters/);
  assert.match(parsePlace('h:6379') as string, /begins with neither/);
});

test('shares add up, addresses do not meet and leave the server out, seeds differ', () => {
  const parts = shares('-c 200000 --source 10.0.0.250 --dest 10.0.1.1 --seed 5 --socket /tmp/x/q.sock', 3);
  const connections = parts.map(({ flags }) => Number(flags.conn));
  assert.is(
    connections.reduce((sum, part) => sum + part, 0),
    200_000,
  );
  assert.equal(
    parts.map(({ source, ips }) => `${source}+${ips}`),
    ['10.0.0.250+2', '10.0.0.252+2', '10.0.0.254+2'],
  );
  assert.is(new Set(parts.map(({ flags }) => flags.seed)).size, 3);
  assert.is(parts[0]?.flags.socket, undefined);
  const around = shares('-c 3 --source 10.0.0.1 --dest 10.0.0.2', 3);
  assert.equal(
    around.map(({ source }) => source),
    ['10.0.0.1', '10.0.0.3', '10.0.0.4'],
  );
});

test('what stands in files travels with the test: messages, a traffic model, and how replies are told', () => {
  const [create] = shares('-c 4 --message hex:{counter}00ff --reply echo', 2);
  const sent = { version: VERSION, test: 't', number: 1, ...(create as Create) };
  const told = decodeRequest(encode(sent)) as Create;
  assert.equal(told.forms, create?.forms);
  assert.instance(told.forms.messages?.[0]?.bytes, Uint8Array);
  assert.equal([told.flags.message, told.flags.reply], [undefined, undefined]);
  const trace = { times: Float64Array.of(0, 5), cycleNs: 9, lengths: Float64Array.of(10, 20) };
  const run = { kind: 'replay', burst: 1, epochNs: 1, rate: 1, window: 1, durationNs: 9, trace } as const;
  const request = { version: VERSION, test: 't', number: 2, call: 'run', run, startUs: 7 } as const;
  assert.equal(decodeRequest(encode(request)), request);
});

test('the quickest round trip tells Redis’ clock', async () => {
  let [nowNs, offsetNs, wayNs] = [1e9, 5e12, 4e6];
  const clock = new Clock(
    async () => {
      nowNs += wayNs;
      const timeUs = (nowNs + offsetNs) / 1_000;
      nowNs += 100_000;
      return timeUs;
    },
    () => nowNs,
  );
  await clock.sample();
  assert.is(clock.errorUs, 2_050);
  wayNs = 100_000;
  await clock.sample();
  assert.is(clock.errorUs, 100);
  assert.is(clock.monotonicNs((nowNs + offsetNs) / 1_000), nowNs);
  offsetNs += 1e6;
  nowNs += 40e9;
  await clock.sample();
  assert.is(clock.monotonicNs((nowNs + offsetNs) / 1_000), nowNs, 'old round trips are forgotten');
});

const PRESENCE = { version: VERSION, id: 'w-1', name: 'w', host: 'h', pid: 1, since: 0 };
const VIEW = { number: 1, phase: 2, run: 0, elapsedNs: 0, answeredNs: 0, connected: 5, retries: 0, reconnects: 0 };
const REST = { renewals: 0, mismatched: 0, late: 0, unexpected: 0, inFlight: 0, waiting: 0, levels: [] };

test('a worker without heartbeats is lost, but not while Redis itself was away', () => {
  const member = new Member(PRESENCE, 0, 5, 0);
  member.heard(
    { number: 1, view: { ...VIEW, ...REST }, cells: [], hiccups: { p99Ns: 0, maxNs: 0 }, counters: {} },
    0,
    0,
  );
  member.look(1, 1_000, 0);
  member.look(1, 1_000 + LOST_MS - 1, 0);
  assert.is(member.lost, undefined);
  member.look(1, 60_000, 59_000);
  assert.is(member.lost, undefined, 'Redis has answered again for a second only');
  member.look(2, 60_500, 59_000);
  member.look(2, 60_500 + LOST_MS, 59_000);
  assert.is(member.lost?.how, 'lost');
  assert.is(member.view(1, 0, { ...VIEW, ...REST }).connected, 0);
});

test('what a lost worker had still to send follows from its share', () => {
  const run = { burst: 10, epochNs: 2e9, rate: 100, window: 1, durationNs: 10e9 };
  assert.is(plannedMessages({ ...run, kind: 'paced' }, 20, 20e9), 1_000);
  assert.is(plannedMessages({ ...run, kind: 'paced' }, 20, 5e9), 500);
  assert.is(plannedMessages({ ...run, kind: 'wave' }, 20, 20e9), 100);
  assert.is(plannedMessages({ ...run, kind: 'window' }, 20, 20e9), 0);
  const trace = { times: Float64Array.of(0, 1e9, 2e9), cycleNs: 3e9 };
  assert.is(plannedMessages({ ...run, kind: 'replay', trace }, 20, 7.5e9), 8);
});

test('the table has a row for each worker, and none of percentiles that were lost', () => {
  const counts = { offered: 10, sent: 10, answered: 8, errors: 1, failed: 0, unsent: 0 };
  const times = { p50Ns: 0, p90Ns: 0, p99Ns: 0, p999Ns: 0, maxNs: 2_000, sendDelayNs: 0, silenceNs: 0 };
  const [cells, none] = [Float64Array.of(1_000, 4, 2_000, 4), new Float64Array()];
  const worker = { host: 'h', connections: 5, connected: 5, notOffered: 0, clockErrorUs: 40 };
  const results: WorkerResult[] = [
    { ...worker, name: 'a', state: 'done', levels: [{ ...counts, ...times, cells }] },
    { ...worker, name: 'b', state: 'lost', why: 'gone', notOffered: 7, levels: [{ ...counts, ...times, cells: none }] },
    { ...worker, name: 'c', state: 'left', why: 'it was stopped', levels: [] },
  ];
  const { workers = [], workers_lost, not_offered } = workersReport({ workers: results }, true);
  assert.equal([workers_lost, not_offered], [2, 7]);
  assert.equal(
    workers.map(({ sent, lost, p50_us, p99_us }) => [sent, lost, p50_us, p99_us]),
    [
      [10, 1, 1, 2],
      [10, 1, null, null],
      [0, 0, null, null],
    ],
  );
  assert.match(formatWorkers(workers), /b .*lost: gone/);
});

test('a text that is no message has no version', () => {
  assert.is(versionOf('{"version":7}'), 7);
  assert.is(versionOf('{}'), 0);
  assert.is(versionOf('x'), 0);
});

test.run();
