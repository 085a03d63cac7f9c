// Where the dashboard listens. In: `127.0.0.1:9700`, `[::1]:0`, `localhost:9700`, `9700`. Out: host and port.
// No name but localhost is taken: nothing here asks a name server.
import { parseIpv4 } from './address.js';
import { parseIpv6 } from './ipv6.js';

export interface DashboardAddress {
  host: string;
  /** 0: any that is free. */
  port: number;
}

/** What a bare `--dashboard` means. */
export const DASHBOARD_DEFAULT = '127.0.0.1:9700';
export const DASHBOARD_ACCEPTS = 'a.b.c.d:port, [IPv6]:port, localhost:port, or a port alone (0: a free one)';

export function parseDashboard(text: string): DashboardAddress | undefined {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  const [, ipv6, ipv4] = match;
  if (ipv6 !== undefined) {
    const host = parseIpv6(ipv6);
    return host === undefined ? undefined : { host, port };
  }
  if (ipv4 === undefined || ipv4 === 'localhost') return { host: '127.0.0.1', port };
  return parseIpv4(ipv4) === undefined ? undefined : { host: ipv4, port };
}
