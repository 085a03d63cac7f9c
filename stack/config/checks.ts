// Checks across several keys: addresses against their prefix, threads against cores, connections against memory.
// In: complete settings and where each key was written. Out: faults (the configuration is refused) and warnings (it runs).
import { resolve } from 'node:path';
import { RING_SETS_MAX, STACKS_MAX } from '../abi.js';
import { formatIpv4, isHostAddress, networkOf, prefixSize } from './address.js';
import type { Fault } from './fault.js';
import { ipv6NetworkOf, ipv6Number, isIpv6HostAddress, isLinkLocal } from './ipv6.js';
import { KEYS, type KeyName } from './keys.js';
import type { Machine } from './machine.js';
import { chosenPins, firstCores, type PinChoice, planPins } from './pods.js';
import type { Ipv6Settings, StackSettings } from './settings.js';
import { formatDuration, formatSize } from './units.js';

/** What a stack of these settings allocates at its start, by mempool/plan.ts. */
export type Planner = (settings: StackSettings) => { bytes: number; arenaBytes: number };

/** Offsets into the arena are u32. */
const ARENA_BYTES_MAX = 2 ** 32 - 1;

/** RFC 8200 5. */
const IPV6_MTU_MIN = 1_280;

/** A quarter of what is available stays free for everything that is not planned here. */
const MEMORY_SHARE = 0.75;

export class Checks {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];

  constructor(
    private readonly settings: StackSettings,
    private readonly where: (key: KeyName) => string,
    private readonly machine: Machine,
  ) {}

  private fault(key: KeyName, fault: string, accepts: string = KEYS[key].accepts): void {
    this.faults.push({ where: this.where(key), key, fault, accepts });
  }

  private warn(key: KeyName, fault: string, accepts = ''): void {
    this.warnings.push({ where: this.where(key), key, fault, accepts });
  }

  times(): void {
    const { rtoMinMs, tcp } = this.settings;
    if (rtoMinMs <= tcp.rtoMaxMs) return;
    this.fault(
      'rto_min',
      `${formatDuration(rtoMinMs)} is more than rto_max`,
      `at most ${formatDuration(tcp.rtoMaxMs)}`,
    );
  }

  redis(): void {
    const { redis, redisCluster } = this.settings;
    if (redis.length === 0 || redisCluster.length === 0) return;
    this.fault('redis_cluster', '`redis` names servers of its own', 'one of the two');
  }

  link(): void {
    const { mtu, ipv6 } = this.settings;
    if (ipv6 === undefined || mtu >= IPV6_MTU_MIN) return;
    this.fault(
      'mtu',
      `${mtu} bytes are less than every link of IPv6 carries`,
      `1280 … 1500 with an IPv6 address in host_ip`,
    );
  }

  /** A memif server has two sockets, its own and DPDK's behind it (native/port/memif_door.hh). */
  mirror(): void {
    const { device, mirror } = this.settings;
    if (mirror?.device.kind !== 'memif' || device.kind !== 'memif') return;
    const [own, told] = [device.path, mirror.device.path].map((path) => resolve(path));
    if (own === told) this.fault('mirror', `${told} is the socket of \`device\``, 'the path of another socket');
    else if (`${own}~` === told || own === `${told}~`)
      this.fault('mirror', `${told} and ${own}: PATH~ belongs to the memif at PATH`, 'the path of another socket');
  }

  addresses(): void {
    if (this.settings.address !== 0) this.ipv4();
    else if (this.settings.gateway !== 0) this.fault('gateway', 'there is no IPv4 address that could use it');
    if (this.settings.ipv6 !== undefined) this.ipv6(this.settings.ipv6);
  }

  /** Ranges lie in one /64, as native/wire/ip_address.hh counts them. */
  private ipv6({ address, prefixLength, gateway }: Ipv6Settings): void {
    const { addressCount } = this.settings;
    const [first, network] = [ipv6Number(address), ipv6NetworkOf(address, prefixLength)];
    const size = 1n << BigInt(Math.min(64, 128 - prefixLength));
    const room = Number(size - (first & (size - 1n)));
    if (ipv6Number(network) === first && prefixLength < 127) {
      this.fault('host_ip', `${address} is the address of every router of its prefix`, `another address of ${network}`);
    } else if (addressCount > room) {
      this.fault('address_count', `${addressCount} addresses from ${address} on leave the prefix`, `1 … ${room}`);
    }
    if (gateway === undefined) return;
    const step = ipv6Number(gateway) - first;
    const near = isLinkLocal(gateway) || ipv6NetworkOf(gateway, prefixLength) === network;
    const accepts = `a link-local address, or another host of ${network}/${prefixLength}`;
    if (!near || !isIpv6HostAddress(gateway)) this.fault('gateway', `${gateway} is not on our network`, accepts);
    else if (step >= 0n && step < addressCount) this.fault('gateway', `${gateway} is our own address`, accepts);
  }

  private ipv4(): void {
    const { address, prefixLength, addressCount, gateway } = this.settings;
    const first = networkOf(address, prefixLength);
    const last = first + prefixSize(prefixLength) - 1;
    const room = last - address;
    if (address === first || address === last) this.edgeAddress(first, last);
    else if (addressCount > room) {
      this.fault(
        'address_count',
        `${addressCount} addresses from ${formatIpv4(address)} on leave the prefix`,
        `1 … ${room}`,
      );
    }
    if (gateway !== 0) this.gateway(first, last);
  }

  private edgeAddress(first: number, last: number): void {
    const which = this.settings.address === first ? 'network' : 'broadcast';
    const fault = `${formatIpv4(this.settings.address)} is the ${which} address of its prefix`;
    this.fault('host_ip', fault, `${formatIpv4(first + 1)} … ${formatIpv4(last - 1)}`);
  }

  private gateway(first: number, last: number): void {
    const { address, addressCount, gateway } = this.settings;
    const accepts = `another host of ${formatIpv4(first)}/${this.settings.prefixLength}`;
    const inside = gateway > first && gateway < last && isHostAddress(gateway);
    if (!inside) this.fault('gateway', `${formatIpv4(gateway)} is not on our network`, accepts);
    else if (gateway >= address && gateway < address + addressCount) {
      this.fault('gateway', `${formatIpv4(gateway)} is our own address`, accepts);
    }
  }

  /** A configuration written for a larger machine is scaled to this one; one written for this machine is taken at its word. */
  threads(coresAsked: number | undefined): void {
    const { cores } = this.machine;
    const scaled = coresAsked !== undefined && coresAsked > cores;
    if (scaled) {
      this.warn('num_cores', `${coresAsked} is more than this machine's ${cores}: planned for ${cores}`);
      this.scale('stack_thread', 'stackThreads', Math.max(1, Math.floor(cores / 2)));
      this.scale('app_thread', 'appThreads', Math.max(1, cores - this.settings.stackThreads));
      if (this.settings.arrangement === 'shared') this.settings.appThreads = this.settings.stackThreads;
    }
    this.stackThreads();
    if (this.settings.arrangement === 'inline' && this.settings.appThreads > 1) {
      this.fault('app_thread', `${this.settings.appThreads} application threads with arrangement = inline`, '1');
    }
  }

  private scale(key: KeyName, name: 'stackThreads' | 'appThreads', most: number): void {
    if (this.settings[name] <= most) return;
    this.warn(key, `${this.settings[name]} scaled to the machine: ${most}`);
    this.settings[name] = most;
  }

  /** Stack threads that share a core gain nothing, and take turns: it runs, as app threads beyond the cores do. */
  private stackThreads(): void {
    const { stackThreads, appThreads, arrangement } = this.settings;
    const { cores } = this.machine;
    if (arrangement === 'shared' && stackThreads !== appThreads) {
      const fault = `${stackThreads} stacks for ${appThreads} application threads with arrangement = shared`;
      this.fault('stack_thread', fault, `${appThreads}`);
    } else if (arrangement === 'shared' && appThreads > STACKS_MAX) {
      this.fault('app_thread', `${appThreads} with arrangement = shared`, `1 … ${STACKS_MAX}`);
    } else if (stackThreads === 1 || arrangement === 'shared') {
      return;
    } else if (arrangement === 'inline') {
      this.fault('stack_thread', `${stackThreads} stack threads with arrangement = inline`, '1');
    } else if (stackThreads * appThreads > RING_SETS_MAX) {
      const most = Math.floor(RING_SETS_MAX / appThreads);
      this.fault('stack_thread', `${stackThreads} stack threads for ${appThreads} application threads`, `1 … ${most}`);
    } else if (stackThreads >= cores) {
      this.warn('stack_thread', `${stackThreads} stack threads and the application's share ${cores} cores`);
    }
  }

  /** A core for each thread, as it was asked for. */
  pins(choice: PinChoice = { kind: 'any' }): void {
    const { settings } = this;
    if (choice.kind === 'any') return;
    if (settings.arrangement === 'inline') {
      this.fault('pin', 'arrangement = inline has no threads of its own', 'a command that pins the process (taskset)');
      return;
    }
    const { stackThreads: stacks, workersPerApp } = settings;
    const apps = settings.arrangement === 'shared' ? 0 : settings.appThreads; // those of stacks are pinned as stacks
    const cores = this.machine.topology?.() ?? [];
    if (choice.kind === 'cores') {
      const pins = chosenPins(choice, { stacks, apps, workersPerApp }, cores);
      if (typeof pins === 'string') this.fault('pin', pins);
      else settings.pins = pins;
      return;
    }
    settings.pins = planPins(firstCores(cores, settings.cores), { stacks, apps, workersPerApp });
    if (settings.pins !== undefined) return;
    this.warn('pin', `${stacks + apps} stack and app threads want a physical core each: none is pinned`);
  }

  private arena(planner: Planner): void {
    const { arenaBytes } = planner(this.settings);
    if (arenaBytes <= ARENA_BYTES_MAX) return;
    const fits = (packetsMax: number) => planner({ ...this.settings, packetsMax }).arenaBytes <= ARENA_BYTES_MAX;
    const largest = largestThat(fits, this.settings.packetsMax);
    const fault = `the packets and rings need ${formatSize(arenaBytes)}, and one arena has at most 4 GiB`;
    this.fault('max_num_buffers', fault, `at most ${largest}`);
  }

  memory(planner: Planner): void {
    const planBytes = (settings: StackSettings) => planner(settings).bytes;
    this.arena(planner);
    const available = this.machine.memoryBytes * MEMORY_SHARE;
    const asked = this.settings.connectionsMax;
    const needed = planBytes(this.settings);
    if (needed <= available) return;
    const fits = (connectionsMax: number) => planBytes({ ...this.settings, connectionsMax }) <= available;
    const largest = largestThat(fits, asked);
    const sum = `${asked} connections need ${formatSize(needed)}, and ${formatSize(available)} can be had`;
    if (largest > 0) this.fault('max_concurrency', sum, `at most ${largest} on this machine`);
    else this.fault('max_concurrency', sum, 'free some memory, or make max_num_buffers smaller');
  }
}

/** The largest number below `limit` for which a monotonic condition holds; 0 when it never does. */
export function largestThat(holds: (n: number) => boolean, limit: number): number {
  let low = 0;
  let high = limit;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}
