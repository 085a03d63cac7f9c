// Memory: how much there is for us, and in pages of which size. In: a Source, and what a server of the default configuration takes.
// Out: findings.
import { formatSize } from '../../stack/config/units.js';
import { type Finding, ok, trouble } from './catalog.js';
import { memoryLimit } from './cgroup.js';
import { numberIn, type Source, wordIn } from './source.js';

const TEN_MILLION_BYTES = 12 * 2 ** 30;

function kilobytes(source: Source, name: string): number {
  return (numberIn(source, '/proc/meminfo', new RegExp(`^${name}:\\s+(\\d+) kB`, 'm')) ?? 0) * 1_024;
}

function memory(source: Source, neededBytes: number): Finding {
  const [total, available] = [kilobytes(source, 'MemTotal'), kilobytes(source, 'MemAvailable')];
  const limit = memoryLimit(source);
  const ours = Math.min(available, limit ?? available);
  const limited = limit === undefined || limit >= total ? '' : `, a control group allows ${formatSize(limit)}`;
  const found = `${formatSize(available)} of ${formatSize(total)} available${limited}`;
  if (ours < neededBytes) {
    const cost = `a server of the default configuration and its Redis take ${formatSize(neededBytes)}: the start fails, or the kernel ends it`;
    return trouble('memory', 'fail', found, cost, 'iotepserver --connections 1000 --plan');
  }
  if (ours >= TEN_MILLION_BYTES) return ok('memory', found);
  const cost = 'fewer than ten million connections fit (they take 12 GiB, generator and Redis included)';
  return trouble('memory', 'note', found, cost, 'iotepserver --connections 1M --plan');
}

function thp(source: Source): Finding {
  const choice = source.read('/sys/kernel/mm/transparent_hugepage/enabled') ?? '';
  const now = /\[(\w+)\]/.exec(choice)?.[1];
  if (now === 'madvise' || now === 'always') return ok('thp', now);
  const cost = 'what is looked up at random among millions of connections takes about 1.5 times as long on small pages';
  if (now === undefined) return trouble('thp', 'warn', 'not in this kernel', cost, 'iotepserver --hugepages 1');
  return trouble('thp', 'warn', now, cost, 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled');
}

function hugepages(source: Source): Finding {
  const total = numberIn(source, '/proc/meminfo', /^HugePages_Total:\s+(\d+)/m) ?? 0;
  const free = numberIn(source, '/proc/meminfo', /^HugePages_Free:\s+(\d+)/m) ?? 0;
  if (total === 0) return ok('hugepages', 'none, and none are needed: transparent ones do as well');
  const size = kilobytes(source, 'Hugepagesize');
  const found = `${total} of ${formatSize(size)}, ${free} free`;
  const cost = `${formatSize(free * size)} are kept from everything that does not ask for them; \`hugepages = 1\` does`;
  return free === 0 ? ok('hugepages', found) : trouble('hugepages', 'note', found, cost, 'sysctl -w vm.nr_hugepages=0');
}

function overcommit(source: Source): Finding {
  const mode = wordIn(source, '/proc/sys/vm/overcommit_memory') ?? '0';
  if (mode !== '2') return ok('overcommit', mode === '1' ? 'always' : 'heuristic');
  const cost = 'address space counts as if it were used: pools that are set aside for later are refused at the start';
  return trouble('overcommit', 'warn', 'never', cost, 'sysctl -w vm.overcommit_memory=0');
}

export function memoryFindings(source: Source, neededBytes: number): Finding[] {
  return [memory(source, neededBytes), thp(source), hugepages(source), overcommit(source)];
}
