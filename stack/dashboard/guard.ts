// Guard: who may read and who may change. In: a request's headers. Out: null, or the answer that refuses it.
// Host keeps names of other sites from being pointed at us (DNS rebinding), Origin keeps their pages from asking through a
// browser, the token keeps out whoever shares the machine or the network. The token never travels in a query.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

export interface Refusal {
  status: 401 | 403;
  sentence: string;
}

export interface GuardOptions {
  /** Undefined: a random one is made, and reading on this machine needs none. */
  token?: string | undefined;
  /** What was bound. */
  host: string;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** `[::1]:80` and `localhost:80` without their port. */
function hostOf(header: string): string {
  return header
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
}

const digest = (text: string) => createHash('sha256').update(text).digest();

export class Guard {
  readonly token: string;
  /** Reading needs the token as well. */
  readonly readNeedsToken: boolean;
  private readonly digest: Buffer;
  private readonly bound: string;

  constructor({ token, host }: GuardOptions) {
    this.token = token ?? randomBytes(18).toString('base64url');
    this.digest = digest(this.token);
    this.bound = host.toLowerCase();
    this.readNeedsToken = token !== undefined || !isLoopback(host);
  }

  /** Of any request. */
  site(headers: IncomingHttpHeaders): Refusal | null {
    const { host = '', origin } = headers;
    if (!this.isOurs(hostOf(host))) {
      return { status: 403, sentence: 'Host: open this page by the address that the program printed' };
    }
    if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return null;
    return { status: 403, sentence: 'Origin: a page of another site may not ask here' };
  }

  private isOurs(host: string): boolean {
    if (host === this.bound || host === 'localhost') return true;
    if (isLoopback(this.bound)) return isLoopback(host);
    return isIP(host) !== 0 || host === hostname().toLowerCase();
  }

  reading(headers: IncomingHttpHeaders): Refusal | null {
    return this.readNeedsToken ? this.changing(headers) : null;
  }

  changing({ authorization }: IncomingHttpHeaders): Refusal | null {
    const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), this.digest)) return null;
    const sentence =
      given === undefined
        ? 'a token is needed: Authorization: Bearer TOKEN; the program printed it behind #token= at its start'
        : 'this is not the token that the program printed behind #token= at its start';
    return { status: 401, sentence };
  }
}
