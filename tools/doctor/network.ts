// Network: which of DPDK's drivers are here, which cards they could have, and what the kernel does to frames before we see them.
// In: a Source. Out: findings.
import { type Finding, ok, trouble } from './catalog.js';
import { type Source, wordIn } from './source.js';

const DRIVERS = ['memif', 'ring', 'tap', 'af_packet', 'af_xdp', 'pcap'];
const NETWORK_CLASS = /^0x02/;
const USER_DRIVERS = /^(vfio-pci|uio_pci_generic|igb_uio|mlx[45]_core|mana)$/;
/** What makes frames larger than the MTU of what was sent, or leaves checksums to a card. */
const MERGING = ['generic-receive-offload', 'large-receive-offload', 'rx-gro-hw'];

/** Driver plug-ins lie beside the libraries of the machine's architecture. */
function driversIn(source: Source): string[] {
  const places = ['/usr/lib', '/usr/lib64', '/usr/local/lib'].flatMap((lib) =>
    [lib, ...source.list(lib).map((name) => `${lib}/${name}`)].map((folder) => `${folder}/dpdk`),
  );
  const files = places.flatMap((folder) =>
    source.list(folder).flatMap((version) => source.list(`${folder}/${version}`)),
  );
  return DRIVERS.filter((driver) => files.includes(`librte_net_${driver}.so`));
}

function drivers(source: Source): Finding {
  const there = driversIn(source);
  const missing = DRIVERS.filter((driver) => !there.includes(driver));
  if (missing.length === 0) return ok('dpdk_drivers', there.join(', '));
  const cost = `devices of these kinds do not open: ${missing.join(', ')}`;
  const state = missing.includes('memif') ? 'fail' : 'warn';
  return trouble(
    'dpdk_drivers',
    state,
    there.join(', ') || 'none',
    cost,
    'apt-get install -y --no-install-recommends dpdk',
  );
}

function cards(source: Source): Finding {
  const root = '/sys/bus/pci/devices';
  const found = source
    .list(root)
    .filter((address) => NETWORK_CLASS.test(wordIn(source, `${root}/${address}/class`) ?? ''))
    .map((address) => ({ address, driver: source.link(`${root}/${address}/driver`) ?? 'none' }));
  const text = found.map(({ address, driver }) => `${address} (${driver})`).join(', ');
  if (found.some(({ driver }) => USER_DRIVERS.test(driver))) return ok('dpdk_devices', text);
  const kernel = 'frames of other machines come through the kernel (af_xdp, af_packet): 0.5 to 1 million a second';
  const cost = `${kernel}; a card that is given away is the kernel's no more: not the one that you are connected through`;
  const first = found[0]?.address ?? 'ADDRESS';
  if (found.length === 0) return trouble('dpdk_devices', 'note', 'none on PCI', kernel);
  const iommu = source.list('/sys/kernel/iommu_groups').length > 0;
  const mode = iommu ? '' : 'echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode; ';
  return trouble(
    'dpdk_devices',
    'note',
    text,
    cost,
    `modprobe vfio-pci && ${mode}dpdk-devbind.py -b vfio-pci ${first}`,
  );
}

function afXdp(source: Source): Finding {
  if (/^XDP\s/m.test(source.read('/proc/net/protocols') ?? '')) return ok('af_xdp', 'there');
  const cost = 'af_xdp does not open; af_packet does, at some two thirds of its rate';
  return trouble('af_xdp', 'note', 'not in this kernel (CONFIG_XDP_SOCKETS)', cost);
}

function tun(source: Source): Finding {
  if (source.list('/dev/net').includes('tun')) return ok('tun', 'there');
  const cost = 'tap does not open';
  return trouble('tun', 'note', 'not there', cost, 'modprobe tun');
}

function interfacesOf(source: Source): string[] {
  return source
    .list('/sys/class/net')
    .filter((name) => name !== 'lo' && source.list(`/sys/class/net/${name}`).length > 0);
}

function rss(source: Source): Finding {
  const counts = interfacesOf(source).map((name) => ({
    name,
    queues: source.list(`/sys/class/net/${name}/queues`).filter((queue) => queue.startsWith('rx-')).length,
  }));
  const text = counts.map(({ name, queues }) => `${name} ${queues}`).join(', ');
  const single = counts.filter(({ queues }) => queues <= 1);
  if (counts.length === 0) return ok('rss', 'no interface but lo');
  if (single.length < counts.length) return ok('rss', text);
  const cost =
    'all frames come to one core; one stack thread takes them anyway, and no rule of RSS can part its connections';
  return trouble('rss', 'note', text, cost, `ethtool -L ${single[0]?.name} combined 2`);
}

function offloads(source: Source): Finding {
  const on = interfacesOf(source).flatMap((name) => {
    const said = source.run('ethtool', ['-k', name]) ?? '';
    const kinds = MERGING.filter((kind) => new RegExp(`^${kind}: on`, 'm').test(said));
    return kinds.length === 0 ? [] : [{ name, kinds }];
  });
  if (on.length === 0) return ok('offloads', 'none that merges received frames, or ethtool is not here');
  const found = on.map(({ name, kinds }) => `${name}: ${kinds.join(', ')}`).join('; ');
  const cost = 'with af_packet or pcap on it, merged frames are longer than a packet and are dropped';
  const off = on[0]?.kinds.map((kind) => `${kind} off`).join(' ');
  return trouble('offloads', 'note', found, cost, `ethtool -K ${on[0]?.name} ${off}`);
}

export function networkFindings(source: Source): Finding[] {
  return [drivers(source), cards(source), afXdp(source), tun(source), rss(source), offloads(source)];
}
