// Slow responses as files: the frames of their connection, for Wireshark, with what the machine did in a comment.
// In: tails. Out: pcapng files of mode 0600 (they hold payload), at most so many; their names.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatEndpoint, formatIpv4 } from '../../stack/config/address.js';
import { formatIpv6 } from '../../stack/config/ipv6.js';
import { formatUs } from '../mcc/report.js';
import { makeFolder } from './folder.js';
import type { NativeAddress, NativeTail } from './native.js';
import { pcapngBytes } from './pcapng.js';

export function addressText(address: NativeAddress): string {
  return typeof address === 'number' ? formatIpv4(address) : formatIpv6(Buffer.from(address, 'hex'));
}

function endpoint(address: NativeAddress, port: number): string {
  return formatEndpoint(typeof address === 'number' ? address : addressText(address), port);
}

/** `slow-20260102T030405678-12.3ms-10.0.0.9-40000.pcapng`; of IPv6 addresses with dots for colons. */
function nameOf(tail: NativeTail): string {
  const time = new Date(Number(tail.timeNs / 1_000_000n)).toISOString().replaceAll(/[-:.Z]/g, '');
  const latency = formatUs(tail.latencyNs / 1_000).replace(' ', '');
  return `slow-${time}-${latency}-${addressText(tail.client).replaceAll(':', '.')}-${tail.clientPort}.pcapng`;
}

export class TailFiles {
  readonly names: string[] = [];

  /** The folder is made. */
  constructor(
    private readonly folder: string,
    private readonly max: number,
    private readonly levels: readonly string[],
    private readonly note: (sentence: string) => void,
  ) {
    makeFolder('--capture-dir', folder);
  }

  write(tail: NativeTail, machine: string): void {
    if (this.names.length >= this.max) return;
    const path = join(this.folder, nameOf(tail));
    const level = this.levels[tail.level] ?? String(tail.level);
    const [client, server] = [endpoint(tail.client, tail.clientPort), endpoint(tail.server, tail.serverPort)];
    const slow = `${formatUs(tail.latencyNs / 1_000)} (level ${level})`;
    const frames = tail.frames.map((frame) =>
      frame === tail.frames.at(-1) ? { ...frame, comment: `this response took ${slow}` } : frame,
    );
    try {
      writeFileSync(path, pcapngBytes(frames, `${client} > ${server}: ${slow}. ${machine}`), {
        mode: 0o600,
        flag: 'wx',
      });
      this.names.push(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST') this.note(`--capture-over: ${path} cannot be written (${code})`);
      return;
    }
    this.note(`${slow}: ${path}`);
    if (this.names.length === this.max) this.note(`--capture-max: ${this.max} files are written, no more follow`);
  }
}
