// `qstack doctor` on machines of text, each with one thing wrong; its docs both ways; and the real command on this machine.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CATALOG, type Finding, type FindingId } from '../../tools/doctor/catalog.js';
import { cpuQuota, memoryLimit } from '../../tools/doctor/cgroup.js';
import { canRun, findingsText, plain } from '../../tools/doctor/command.js';
import { coresIn } from '../../tools/doctor/cores.js';
import { findingsOf, type Patient } from '../../tools/doctor/examine.js';
import { percentile, probe } from '../../tools/doctor/probe.js';
import { type Source, thisMachine } from '../../tools/doctor/source.js';

type Files = Readonly<Record<string, string>>;

/** A machine of text: files by path; a link is a file whose text begins with `->`. */
function machine(files: Files, commands: Files = {}): Source {
  return {
    read: (path) => files[path],
    list: (path) => {
      const below = Object.keys(files).filter((name) => name.startsWith(`${path}/`));
      return [...new Set(below.map((name) => name.slice(path.length + 1).split('/')[0] as string))].sort();
    },
    link: (path) => /^->(.*)$/.exec(files[path] ?? '')?.[1],
    run: (command, args) => commands[[command, ...args].join(' ')],
  };
}

const GIB = 2 ** 30;
const DPDK = '/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0';
const CAPS_ALL = '000001ffffffffff';

const GOOD: Files = {
  '/proc/cpuinfo': 'processor : 0\nmodel name\t: Fine CPU\nflags\t\t: fpu sse avx2\n',
  '/sys/devices/system/cpu/online': '0-3\n',
  '/proc/self/status': `Name:\tnode\nCapEff:\t${CAPS_ALL}\nCpus_allowed_list:\t0-3\n`,
  '/proc/self/cgroup': '0::/\n',
  '/sys/devices/system/cpu/smt/active': '0\n',
  '/sys/devices/system/node/node0/cpulist': '0-3\n',
  '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'performance\n',
  '/proc/loadavg': '0.50 0.40 0.30 1/200 4242\n',
  '/proc/sys/kernel/sched_autogroup_enabled': '0\n',
  '/proc/meminfo':
    'MemTotal: 33554432 kB\nMemAvailable: 31457280 kB\nHugePages_Total: 0\nHugePages_Free: 0\nHugepagesize: 2048 kB\n',
  '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
  '/proc/sys/vm/overcommit_memory': '0\n',
  '/proc/self/limits':
    'Max open files            20000                20000                files\nMax locked memory         unlimited            unlimited            bytes\n',
  ...Object.fromEntries(
    ['memif', 'ring', 'tap', 'af_packet', 'af_xdp', 'pcap'].map((name) => [`${DPDK}/librte_net_${name}.so`, '']),
  ),
  '/sys/bus/pci/devices/0000:01:00.0/class': '0x020000\n',
  '/sys/bus/pci/devices/0000:01:00.0/driver': '->vfio-pci',
  '/proc/net/protocols': 'protocol  size\nXDP       960\nTCP       2304\n',
  '/dev/net/tun': '',
  '/sys/class/net/eth0/queues/rx-0/rps_cpus': '',
  '/sys/class/net/eth0/queues/rx-1/rps_cpus': '',
  '/sys/devices/system/clocksource/clocksource0/current_clocksource': 'tsc\n',
  '/sys/devices/system/clocksource/clocksource0/available_clocksource': 'tsc hpet acpi_pm\n',
};

const NONE = { names: [], install: '' };

const HEALTHY: Patient = {
  source: machine(GOOD),
  probe: { seconds: 1, gapP99Ms: 0.05, gapMaxMs: 1, stealShare: 0 },
  self: {
    uid: 1000,
    execPath: '/usr/bin/node',
    runtimeFolder: { path: '/run/user/1000/qstack', mode: 0o700, uid: 1000, isFolder: true },
  },
  software: {
    node: 'v20.20.2',
    missing: { run: NONE, build: NONE, test: NONE },
    addonFault: undefined,
    redisInstalled: true,
    redisRunning: ['/run/user/1000/qstack/redis/redis-0.sock'],
  },
  neededBytes: GIB / 2,
};

/** The healthy machine with other files; an undefined one is not there. */
function sick(files: Readonly<Record<string, string | undefined>>, commands: Files = {}): Finding[] {
  const all = Object.entries({ ...GOOD, ...files }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return findingsOf({ ...HEALTHY, source: machine(Object.fromEntries(all), commands) });
}

function one(findings: readonly Finding[], id: FindingId): Finding {
  return findings.find((finding) => finding.id === id) as Finding;
}

const doctor = suite('doctor');

doctor('a machine without a fault has one finding of each kind, all of them ok', () => {
  const findings = findingsOf(HEALTHY);
  assert.equal(
    findings.map(({ id }) => id),
    Object.keys(CATALOG),
  );
  assert.equal(
    findings.filter(({ state }) => state !== 'ok'),
    [],
  );
  assert.match(findingsText(findings, plain), /the main job can run here; 0 warnings, 0 notes$/);
});

/** What is changed, which finding says so, in which state, what it has found, and the command that mends it. */
const TROUBLES: [
  Readonly<Record<string, string | undefined>>,
  FindingId,
  Finding['state'],
  RegExp,
  RegExp | undefined,
][] = [
  [{ '/proc/cpuinfo': 'model name : Old\nflags : sse\n' }, 'cpu', 'note', /Old, without AVX2/, undefined],
  [
    { '/proc/self/status': `CapEff:\t${CAPS_ALL}\nCpus_allowed_list:\t2\n` },
    'cores',
    'warn',
    /^1 of 4$/,
    /^taskset -cp 0-3/,
  ],
  [{ '/proc/self/status': `CapEff:\t${CAPS_ALL}\nCpus_allowed_list:\t0,2\n` }, 'cores', 'note', /^2 of 4$/, /taskset/],
  [{ '/sys/fs/cgroup/cpu.max': '150000 100000\n' }, 'cpu_quota', 'warn', /^1\.5 cores/, /--cpuset-cpus/],
  [
    {
      '/sys/devices/system/cpu/smt/active': '1\n',
      '/sys/devices/system/cpu/cpu0/topology/thread_siblings_list': '0,2\n',
    },
    'smt',
    'note',
    /^on$/,
    /smt\/control/,
  ],
  [{ '/sys/devices/system/node/node1/cpulist': '2-3\n' }, 'numa', 'warn', /^2 nodes$/, /^numactl/],
  [
    { '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'powersave\n' },
    'governor',
    'warn',
    /^powersave$/,
    /^cpupower/,
  ],
  [{ '/proc/loadavg': '2.50 1 1 1/2 3\n' }, 'load', 'warn', /^2\.5 over/, /^ps /],
  [
    { '/proc/sys/kernel/sched_autogroup_enabled': '1\n' },
    'autogroup',
    'warn',
    /^on: nice values count within a session/,
    /^sysctl -w kernel\.sched_autogroup_enabled=0, .*: echo 10 > \/proc\/PID\/autogroup$/,
  ],
  [
    { '/proc/meminfo': 'MemTotal: 1048576 kB\nMemAvailable: 262144 kB\n' },
    'memory',
    'fail',
    /^256 MiB of 1 GiB/,
    /--plan$/,
  ],
  [{ '/proc/meminfo': 'MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n' }, 'memory', 'note', /^4 GiB of 8 GiB/, /1M/],
  [{ '/sys/fs/cgroup/memory.max': '268435456\n' }, 'memory', 'fail', /a control group allows 256 MiB/, /--plan/],
  [
    { '/sys/kernel/mm/transparent_hugepage/enabled': 'always madvise [never]\n' },
    'thp',
    'warn',
    /^never$/,
    /^echo madvise > /,
  ],
  [{ '/sys/kernel/mm/transparent_hugepage/enabled': undefined }, 'thp', 'warn', /not in this kernel/, /--hugepages/],
  [
    { '/proc/meminfo': `${GOOD['/proc/meminfo']}`.replace('Total: 0', 'Total: 512').replace('Free: 0', 'Free: 512') },
    'hugepages',
    'note',
    /^512 of 2 MiB, 512 free$/,
    /nr_hugepages=0$/,
  ],
  [{ '/proc/sys/vm/overcommit_memory': '2\n' }, 'overcommit', 'warn', /^never$/, /overcommit_memory=0$/],
  [
    { '/proc/self/limits': 'Max open files  256  256  files\nMax locked memory  unlimited unlimited bytes\n' },
    'nofile',
    'warn',
    /^256$/,
    /^ulimit -n/,
  ],
  [
    {
      '/proc/self/limits': 'Max open files 4096 4096 files\nMax locked memory 65536 65536 bytes\n',
      '/proc/self/status': 'CapEff:\t0000000000000000\nCpus_allowed_list:\t0-3\n',
    },
    'memlock',
    'note',
    /^64 KiB$/,
    /^ulimit -l/,
  ],
  [
    { '/proc/self/status': 'CapEff:\t0000000000001000\nCpus_allowed_list:\t0-3\n' },
    'capabilities',
    'note',
    /^without cap_net_raw, cap_ipc_lock, cap_sys_admin$/,
    /^setcap cap_net_raw,cap_ipc_lock,cap_sys_admin\+ep \/usr\/bin\/node$/,
  ],
  [{ [`${DPDK}/librte_net_af_xdp.so`]: undefined }, 'dpdk_drivers', 'warn', /^memif, ring, tap/, /^apt-get install/],
  [{ [`${DPDK}/librte_net_memif.so`]: undefined }, 'dpdk_drivers', 'fail', /^ring, tap/, /dpdk$/],
  [
    { '/sys/bus/pci/devices/0000:01:00.0/driver': '->ixgbe' },
    'dpdk_devices',
    'note',
    /^0000:01:00\.0 \(ixgbe\)$/,
    /noiommu.*dpdk-devbind\.py -b vfio-pci 0000:01:00\.0$/,
  ],
  [
    {
      '/sys/bus/pci/devices/0000:01:00.0/driver': '->ixgbe',
      '/sys/kernel/iommu_groups/0/type': 'DMA\n',
    },
    'dpdk_devices',
    'note',
    /ixgbe/,
    /^modprobe vfio-pci && dpdk-devbind/,
  ],
  [{ '/sys/bus/pci/devices/0000:01:00.0/class': '0x010000\n' }, 'dpdk_devices', 'note', /^none on PCI$/, undefined],
  [{ '/proc/net/protocols': 'TCP 2304\n' }, 'af_xdp', 'note', /CONFIG_XDP_SOCKETS/, undefined],
  [{ '/dev/net/tun': undefined }, 'tun', 'note', /^not there$/, /^modprobe tun$/],
  [{ '/sys/class/net/eth0/queues/rx-1/rps_cpus': undefined }, 'rss', 'note', /^eth0 1$/, /^ethtool -L eth0/],
  [
    { '/sys/devices/system/clocksource/clocksource0/current_clocksource': 'hpet\n' },
    'clock',
    'warn',
    /^hpet$/,
    /^echo tsc > /,
  ],
];

doctor('each trouble is found alone, with what it costs and the command that mends it', () => {
  for (const [files, id, state, found, mend] of TROUBLES) {
    const findings = sick(files);
    const finding = one(findings, id);
    assert.is(finding.state, state, `${id}: ${JSON.stringify(finding)}`);
    assert.match(finding.found, found);
    assert.ok((finding.cost?.length ?? 0) > 10, id);
    if (mend === undefined) assert.is(finding.mend, undefined, id);
    else assert.match(finding.mend ?? '', mend);
    const others = findings.filter((other) => other.state !== 'ok' && other.id !== id).map((other) => other.id);
    assert.ok(others.length <= (id === 'memlock' ? 1 : 0), `${id}, and ${others}`);
    assert.is(canRun(findings), state !== 'fail');
  }
});

doctor('shares by session do not matter where they are not known, or control groups share the cores out', () => {
  const ON = { '/proc/sys/kernel/sched_autogroup_enabled': '1\n' };
  const stateWith = (files: Readonly<Record<string, string | undefined>>) => one(sick(files), 'autogroup').state;
  assert.is(stateWith({ '/proc/sys/kernel/sched_autogroup_enabled': undefined }), 'ok');
  const second = { ...ON, '/proc/self/cgroup': '0::/a/b\n' };
  assert.is(stateWith({ ...second, '/sys/fs/cgroup/a/cpu.weight': '100\n' }), 'ok');
  assert.is(stateWith({ ...second, '/sys/fs/cgroup/c/cpu.weight': '100\n' }), 'warn');
  const first = { ...ON, '/sys/fs/cgroup/cpu/cpu.shares': '1024\n', '/sys/fs/cgroup/cpu/x/cpu.shares': '1024\n' };
  assert.is(stateWith({ ...first, '/proc/self/cgroup': '1:cpu,cpuacct:/x\n' }), 'ok');
  assert.is(stateWith({ ...first, '/proc/self/cgroup': '1:cpu,cpuacct:/\n' }), 'warn');
});

doctor('what merges received frames is named by interface', () => {
  const on = 'Features for eth0:\ngeneric-receive-offload: on\nlarge-receive-offload: off [fixed]\n';
  const finding = one(sick({}, { 'ethtool -k eth0': on }), 'offloads');
  assert.is(finding.found, 'eth0: generic-receive-offload');
  assert.match(finding.mend ?? '', /^ethtool -K eth0 generic-receive-offload off$/);
});

doctor('a probe that was interrupted, and a hypervisor that took time, are warnings', () => {
  const interrupted = { seconds: 1, gapP99Ms: 0.9, gapMaxMs: 7, stealShare: 0.05 };
  const findings = findingsOf({ ...HEALTHY, probe: interrupted });
  assert.match(one(findings, 'hiccups').found, /p99 900 us, longest 7 ms/);
  assert.is(one(findings, 'hiccups').state, 'warn');
  assert.is(one(findings, 'steal').state, 'warn');
  assert.ok(canRun(findings));
});

doctor('without Node.js, packages, addon, Redis or a folder of its own the main job cannot run', () => {
  const { software, self } = HEALTHY;
  const folder = { path: '/tmp/qstack-1000', mode: 0o777, uid: 1000, isFolder: true };
  const gone = { names: ['dpdk'], install: 'apt-get install dpdk' };
  const patients: [FindingId, Partial<Patient>, RegExp][] = [
    ['node', { software: { ...software, node: 'v18.20.0' } }, /20$/],
    ['packages_run', { software: { ...software, missing: { run: gone, build: NONE, test: NONE } } }, /dpdk/],
    ['addon', { software: { ...software, addonFault: 'not built' } }, /^npm run build$/],
    ['redis', { software: { ...software, redisInstalled: false } }, /redis-server$/],
    ['runtime_folder', { self: { ...self, runtimeFolder: folder } }, /^chmod 700 \/tmp\/qstack-1000$/],
    ['runtime_folder', { self: { ...self, runtimeFolder: { ...folder, mode: 0o700, uid: 5 } } }, /XDG_RUNTIME_DIR/],
  ];
  for (const [id, change, mend] of patients) {
    const findings = findingsOf({ ...HEALTHY, ...change });
    assert.is(one(findings, id).state, 'fail', id);
    assert.match(one(findings, id).mend ?? '', mend);
    assert.not(canRun(findings));
    assert.match(findingsText(findings, plain), /the main job cannot run here: 1 findings/);
  }
});

doctor('packages for building matter where nothing is built, others are notes', () => {
  const { software } = HEALTHY;
  const missing = { run: NONE, build: { names: ['meson'], install: 'apt-get install meson' }, test: NONE };
  const state = (more: Partial<Patient['software']>) =>
    one(findingsOf({ ...HEALTHY, software: { ...software, ...more } }), 'packages_build').state;
  assert.is(state({ missing }), 'note');
  assert.is(state({ missing, addonFault: 'not built' }), 'fail');
  assert.is(state({ missing: undefined }), 'note');
});

doctor('limits of control groups are found in both versions, the tightest on the way up', () => {
  const two = machine({
    '/proc/self/cgroup': '0::/a/b\n',
    '/sys/fs/cgroup/a/b/memory.max': 'max\n',
    '/sys/fs/cgroup/a/memory.max': '1000\n',
    '/sys/fs/cgroup/a/b/cpu.max': '400000 100000\n',
    '/sys/fs/cgroup/a/cpu.max': 'max 100000\n',
  });
  assert.equal([memoryLimit(two), cpuQuota(two)], [1000, 4]);
  const first = machine({
    '/proc/self/cgroup': '4:memory:/x\n1:cpu,cpuacct:/x\n0::/\n',
    '/sys/fs/cgroup/memory/x/memory.limit_in_bytes': '5000\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us': '50000\n',
    '/sys/fs/cgroup/cpu/x/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
  });
  assert.equal([memoryLimit(first), cpuQuota(first)], [5000, 0.5]);
  assert.equal([memoryLimit(machine({})), cpuQuota(machine({}))], [undefined, undefined]);
});

doctor('lists of cores and percentiles are read as they are written', () => {
  assert.equal(coresIn('0-2,5\n'), [0, 1, 2, 5]);
  assert.equal(coresIn(''), []);
  assert.is(percentile([1, 2, 3, 4], 0.5), 3);
  assert.is(percentile([], 0.99), 0);
});

doctor('the probe polls for as long as it is told', async () => {
  const result = await probe(thisMachine, 50);
  assert.ok(result.seconds >= 0.05);
  assert.ok(result.gapMaxMs >= result.gapP99Ms && result.gapP99Ms > 0);
});

const DOC = fileURLToPath(new URL('../../../docs/doctor.md', import.meta.url));

doctor('docs/doctor.md explains each finding, and nothing else', () => {
  const [, findings = ''] = readFileSync(DOC, 'utf8').split('## Findings');
  const rows = [...findings.matchAll(/^\| `(\w+)` \| ([^|]*) \|/gm)];
  assert.equal(
    rows.map(([, id, name]) => [id, name?.trim()]),
    Object.entries(CATALOG).map(([id, { name }]) => [id, name]),
  );
});

interface Output {
  can_run: boolean;
  findings: { id: string; group: string; state: string; found: string }[];
}

function command(...flags: string[]) {
  const main = fileURLToPath(new URL('../../tools/qstack/main.js', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'qstack-doctor-'));
  try {
    const env = { ...process.env, XDG_RUNTIME_DIR: folder };
    return spawnSync(process.execPath, [main, 'doctor', '--probe', '100ms', ...flags], { encoding: 'utf8', env });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

doctor('the command says of this machine what it is, as text and as JSON, and the exit code follows', () => {
  const { stdout, stderr, status } = command('--json');
  const output = JSON.parse(stdout) as Output;
  assert.is(stderr, '');
  assert.equal(
    output.findings.map(({ id }) => id),
    Object.keys(CATALOG),
  );
  const failed = output.findings.filter(({ state }) => state === 'fail');
  assert.is(output.can_run, failed.length === 0);
  assert.is(status, output.can_run ? 0 : 1);
  // This suite runs here, so the addon does as well.
  assert.is(output.findings.find(({ id }) => id === 'addon')?.state, 'ok');
  const text = command('--quiet');
  assert.match(text.stdout, /the main job can(not)? run here/);
  assert.not.match(text.stdout, /^ {2}ok /m);
  assert.not(text.stdout.includes('\u001b'));
});

doctor('a wrong flag is a sentence and exit 2', () => {
  const { stderr, status } = command('--probe', 'long');
  assert.is(status, 2);
  assert.match(stderr, /a duration up to 60s is expected/);
});

doctor.run();
