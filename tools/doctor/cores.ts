// Cores: how many there are for us, whole ones or shares, and what else runs on them. In: a Source. Out: findings.
import { type Finding, ok, trouble } from './catalog.js';
import { cpuQuota, hasCpuGroup } from './cgroup.js';
import { numberIn, type Source, wordIn } from './source.js';

/** Server, Redis and generator. */
const CORES_WANTED = 2;

/** `0-2,5`. */
export function coresIn(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

function processor(source: Source): Finding {
  const info = source.read('/proc/cpuinfo') ?? '';
  const name = /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? 'unknown processor';
  const virtual = /^flags\s*:.*\bhypervisor\b/m.test(info) ? ', virtual' : '';
  if (!/^flags\s*:/m.test(info) || /^flags\s*:.*\bavx2\b/m.test(info)) return ok('cpu', `${name}${virtual}`);
  const cost = 'checksums, copies and look-ups are built without AVX2, some of them take twice the time';
  return trouble('cpu', 'note', `${name}${virtual}, without AVX2`, cost);
}

function cores(source: Source): Finding {
  const online = coresIn(wordIn(source, '/sys/devices/system/cpu/online') ?? '0');
  const allowed = coresIn(/^Cpus_allowed_list:\s*(.*)$/m.exec(source.read('/proc/self/status') ?? '')?.[1] ?? '0');
  const ours = allowed.filter((core) => online.includes(core)).length || allowed.length;
  const found = ours < online.length ? `${ours} of ${online.length}` : String(ours);
  if (ours < CORES_WANTED) {
    const cost = 'stack, handlers, Redis and generator share one core: each waits for the others';
    return trouble(
      'cores',
      'warn',
      found,
      cost,
      ours < online.length ? `taskset -cp 0-${online.length - 1} $PPID` : undefined,
    );
  }
  if (ours === online.length) return ok('cores', found);
  const cost = 'an affinity mask (taskset, a cpuset) keeps this process from the others';
  return trouble('cores', 'note', found, cost, `taskset -cp 0-${online.length - 1} $PPID`);
}

function quota(source: Source): Finding {
  const worth = cpuQuota(source);
  if (worth === undefined) return ok('cpu_quota', 'none');
  const cost =
    'when the share of a period is used up every thread stops until the next one: tails of tens of milliseconds';
  return trouble(
    'cpu_quota',
    'warn',
    `${Number(worth.toFixed(2))} cores' worth of time`,
    cost,
    'docker run --cpuset-cpus 0,1 instead of --cpus',
  );
}

function smt(source: Source): Finding {
  const active = wordIn(source, '/sys/devices/system/cpu/smt/active') === '1';
  if (!active) return ok('smt', 'off, or hidden by the host');
  const siblings = wordIn(source, '/sys/devices/system/cpu/cpu0/topology/thread_siblings_list') ?? '';
  const cost = `two threads share a core's units (cores ${siblings} are one): a polling one slows its sibling`;
  return trouble('smt', 'note', 'on', cost, 'echo off > /sys/devices/system/cpu/smt/control');
}

function numa(source: Source): Finding {
  const nodes = source.list('/sys/devices/system/node').filter((name) => /^node\d+$/.test(name)).length;
  if (nodes <= 1) return ok('numa', 'one node');
  const cost = 'memory of another node takes about twice as long; the arena should lie where the stack thread runs';
  return trouble('numa', 'warn', `${nodes} nodes`, cost, 'numactl --cpunodebind=0 --membind=0 iotepserver …');
}

function governor(source: Source): Finding {
  const now = wordIn(source, '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor');
  if (now === undefined) return ok('governor', 'none: the host decides about frequencies');
  if (now === 'performance') return ok('governor', now);
  const cost = 'a core that was idle begins slowly: the first messages of a wave are late, and figures spread';
  return trouble('governor', 'warn', now, cost, 'cpupower frequency-set -g performance');
}

function load(source: Source): Finding {
  const average = numberIn(source, '/proc/loadavg', /^([\d.]+)/) ?? 0;
  const online = coresIn(wordIn(source, '/sys/devices/system/cpu/online') ?? '0').length;
  const found = `${average} over the last minute, on ${online} cores`;
  if (average <= online / 2) return ok('load', found);
  const cost = 'others take the cores in turn with us: latencies and figures are theirs as well';
  return trouble('load', 'warn', found, cost, 'ps -eo pcpu,pid,comm --sort=-pcpu | head');
}

/** sched(7), "The autogroup feature": it acts only on what is in no control group of the processor's time. */
function autogroup(source: Source): Finding {
  const now = wordIn(source, '/proc/sys/kernel/sched_autogroup_enabled');
  if (now !== '1') return ok('autogroup', now === undefined ? 'not in this kernel' : 'off');
  if (hasCpuGroup(source)) return ok('autogroup', 'on, but control groups share the cores out here');
  const cost =
    'each session has an equal share of a core, whatever the nice values in it: `nice` on a background job does not protect ' +
    'the server, and what another terminal started (Redis, a generator) takes half of its core';
  const mend = 'sysctl -w kernel.sched_autogroup_enabled=0, or for one session: echo 10 > /proc/PID/autogroup';
  return trouble('autogroup', 'warn', 'on: nice values count within a session only', cost, mend);
}

export function coreFindings(source: Source): Finding[] {
  const looks = [processor, cores, quota, smt, numa, governor, load, autogroup];
  return looks.map((look) => look(source));
}
