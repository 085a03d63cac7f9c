// Sources: where frames come from, and which one where nothing was said.
// In: what flags name. Out: a source, or the sentence that says what to give. Without one it is a network interface of this
// machine: the one whose number HCMonitor's port mask gives, in the order of their indices and without loopback.
import { readdirSync, readFileSync } from 'node:fs';

export type Source =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'interface'; readonly name: string; readonly chosen: boolean }
  | { readonly kind: 'device'; readonly device: string }
  /** A server's `mirror`. */
  | { readonly kind: 'mirror'; readonly socket: string };

export interface Named {
  readonly file?: string | undefined;
  readonly interface?: string | undefined;
  readonly device?: string | undefined;
  readonly mirror?: string | undefined;
  /** Of the interface, where nothing is named. */
  readonly number: number;
}

const NETWORKS = '/sys/class/net';
/** ARPHRD_ETHER. */
const ETHERNET = '1';
/** IFF_UP. */
const UP = 1;

function fact(name: string, file: string): string {
  try {
    return readFileSync(`${NETWORKS}/${name}/${file}`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Ethernet interfaces that are up, by index. Loopback says that it is none. */
export function ethernetInterfaces(): string[] {
  const names = readdirSync(NETWORKS).filter(
    (name) => fact(name, 'type') === ETHERNET && (Number(fact(name, 'flags')) & UP) !== 0,
  );
  return names.sort((a, b) => Number(fact(a, 'ifindex')) - Number(fact(b, 'ifindex')));
}

export function sourceOf(named: Named, interfaces: readonly string[] = ethernetInterfaces()): Source | string {
  if (named.file !== undefined) return { kind: 'file', path: named.file };
  if (named.device !== undefined) return { kind: 'device', device: named.device };
  if (named.mirror !== undefined) return { kind: 'mirror', socket: named.mirror };
  if (named.interface !== undefined) return { kind: 'interface', name: named.interface, chosen: false };
  const name = interfaces[named.number];
  if (name !== undefined) return { kind: 'interface', name, chosen: true };
  const there = interfaces.length === 0 ? 'no Ethernet interface is up' : `there are ${interfaces.join(', ')}`;
  return `port ${named.number} of -p is no interface (${there}); give --interface NAME, --device STRING or --pcap FILE`;
}

export function sourceName(source: Source): string {
  if (source.kind === 'mirror') return `the mirror ${source.socket}`;
  return source.kind === 'file' ? source.path : source.kind === 'interface' ? source.name : source.device;
}
