// Devices: where a stack's frames come from, as written in a configuration.
// In: `memif:PATH?server`, `tap:NAME`, `af_packet:INTERFACE`, `af_xdp:INTERFACE`, `pcap:INTERFACE`, `pcap:rx=FILE,tx=FILE` or
// any EAL device string. Out: a Device, and the string for the native side. A memif socket lies in a folder of mode 0700: its peer is trusted like the process itself.
import { dirname } from 'node:path';
import { makePrivateDir } from './runtime-dir.js';

export type Device =
  | { kind: 'memif'; path: string; role: 'server' | 'client' }
  | { kind: 'tap'; name: string }
  | { kind: 'af_packet' | 'af_xdp' | 'pcap'; interface: string }
  | { kind: 'pcap_files'; rx: string | undefined; tx: string | undefined }
  | { kind: 'eal'; device: string };

/** Linux holds the path of a unix socket in 108 bytes, the last of them zero. */
export const SOCKET_PATH_MAX = 107;
/** The socket of DPDK, behind the one that clients connect to, has one byte more. */
const MEMIF_PATH_MAX = SOCKET_PATH_MAX - 1;

function parseMemif(text: string): Device | string {
  const [path = '', role = 'server', ...rest] = text.split('?');
  const plain = role.replace(/^role=/, '');
  if (!path.startsWith('/')) return `the memif socket "${path}" is not an absolute path`;
  if (Buffer.byteLength(path) > MEMIF_PATH_MAX) return `the memif socket's path is longer than ${MEMIF_PATH_MAX} bytes`;
  if (dirname(path) === '/') return 'the memif socket must lie in a folder of its own';
  if ((plain !== 'server' && plain !== 'client') || rest.length > 0) return `"${role}" is no memif role`;
  return { kind: 'memif', path, role: plain };
}

/** `rx=FILE,tx=FILE`: either may be left out. DPDK's own words end at a comma, a space or a quote. */
function parsePcapFiles(text: string): Device | string {
  const files = new Map<string, string>();
  for (const word of text.split(',')) {
    const [, way = '', path = ''] = /^(rx|tx)=([^\s"=[\]]+)$/.exec(word) ?? [];
    if (way === '') return `"${word}" is not rx=FILE or tx=FILE, with a name without spaces, commas and quotes`;
    if (files.has(way)) return `${way}= stands there twice`;
    files.set(way, path);
  }
  const [rx, tx] = [files.get('rx'), files.get('tx')];
  if (rx !== undefined && rx === tx) return `${rx} cannot be read and written at the same time`;
  return { kind: 'pcap_files', rx, tx };
}

/** A Device, or the sentence that says what is wrong. */
export function parseDevice(text: string): Device | string {
  const match = /^(memif|tap|af_packet|af_xdp|pcap):(.*)$/.exec(text);
  const [, kind = '', rest = ''] = match ?? [];
  if (kind === 'memif') return parseMemif(rest);
  if (kind === 'pcap' && rest.includes('=')) return parsePcapFiles(rest);
  if (kind !== '' && !/^[\w.-]{1,15}$/.test(rest)) return `"${rest}" is no interface name of 1 to 15 characters`;
  if (kind === 'tap') return { kind: 'tap', name: rest };
  if (kind === 'af_packet' || kind === 'af_xdp' || kind === 'pcap') return { kind, interface: rest };
  if (!/^[\w:.]+(,[^\s,=]+(=[^\s,]*)?)*$/.test(text)) return `"${text}" is no device string`;
  return { kind: 'eal', device: text };
}

function pcapFiles({ rx, tx }: { rx: string | undefined; tx: string | undefined }): string[] {
  return [...(rx === undefined ? [] : [`rx=${rx}`]), ...(tx === undefined ? [] : [`tx=${tx}`])];
}

/** A monitor comes to it as a client: the server of the socket is always we. */
export function parseMirror(text: string): Device | string {
  if (!/^memif:[^?]+(\?(role=)?server)?$/.test(text)) return `"${text}" is no memif:/path`;
  return parseMemif(text.slice('memif:'.length));
}

/** As it is written in a configuration; the native side reads it again. */
export function formatDevice(device: Device): string {
  switch (device.kind) {
    case 'memif':
      return `memif:${device.path}?${device.role}`;
    case 'tap':
      return `tap:${device.name}`;
    case 'af_packet':
    case 'af_xdp':
    case 'pcap':
      return `${device.kind}:${device.interface}`;
    case 'pcap_files':
      return `pcap:${pcapFiles(device).join(',')}`;
    case 'eal':
      return device.device;
  }
}

/** The string for the native side, once the folder of a memif socket is there and private. */
export function preparedDevice(device: Device): string {
  if (device.kind === 'memif' && device.role === 'server') makePrivateDir(dirname(device.path));
  return formatDevice(device);
}
