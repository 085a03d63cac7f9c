// Dashboard: the page and the figures of one running program, over HTTP; and its control socket, for `qstack top` and `ss`.
// In: a source, and where to listen. Out: URLs; close(). Invariant: a fault of it never ends the program that it shows.
import { existsSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { DashboardAddress } from '../config/dashboard.js';
import { makePrivateDir, runtimeDir } from '../config/runtime-dir.js';
import { QstackError } from '../errors.js';
import { Guard } from './guard.js';
import { close, listen } from './http-server.js';
import type { Service } from './routes.js';
import { Sampler } from './sampler.js';
import type { DashboardSource } from './source.js';

export interface DashboardOptions {
  /** Undefined: only the control socket is there. */
  at?: DashboardAddress | undefined;
  token?: string | undefined;
}

/** Where the control sockets of this user's programs are. */
export const controlDir = () => join(runtimeDir(), 'control');

export class Dashboard {
  /** With the token behind `#`, where a browser keeps it to itself; undefined without a TCP door. */
  readonly url: string | undefined;
  private readonly service: Service;
  private readonly servers: Server[];
  private readonly socket: string | undefined;

  private constructor(service: Service, servers: Server[], url: string | undefined, socket: string | undefined) {
    this.service = service;
    this.servers = servers;
    this.url = url;
    this.socket = socket;
  }

  static async open(source: DashboardSource, options: DashboardOptions): Promise<Dashboard> {
    const { at, token } = options;
    const guard = new Guard({ token, host: at?.host ?? '127.0.0.1' });
    const service = { source, guard, sampler: new Sampler(source, at === undefined) };
    const servers: Server[] = [];
    try {
      const url = at === undefined ? undefined : await openPage(service, at, servers);
      const socket = await openControl(service, servers);
      return new Dashboard(service, servers, url, socket);
    } catch (error) {
      service.sampler.stop();
      await Promise.all(servers.map(close));
      throw error;
    }
  }

  async close(): Promise<void> {
    this.service.sampler.stop();
    await Promise.all(this.servers.map(close));
    if (this.socket !== undefined && existsSync(this.socket)) unlinkSync(this.socket);
  }
}

async function openPage(service: Service, { host, port }: DashboardAddress, servers: Server[]): Promise<string> {
  try {
    const server = await listen(service, { host, port }, false);
    servers.push(server);
    const bound = (server.address() as AddressInfo).port;
    return `http://${host.includes(':') ? `[${host}]` : host}:${bound}/#token=${service.guard.token}`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'EADDRINUSE' ? 'somebody else listens there; `--dashboard 127.0.0.1:0` takes a free port' : message;
    throw new QstackError('QST_ERR_DASHBOARD', `dashboard at ${host}:${port}: ${why}`);
  }
}

/** Undefined where the folder cannot be made: everything else works without it. */
async function openControl(service: Service, servers: Server[]): Promise<string | undefined> {
  const name = service.source.program.name.replaceAll(' ', '-');
  try {
    const path = join(makePrivateDir(controlDir()), `${name}-${process.pid}.sock`);
    if (existsSync(path)) unlinkSync(path);
    servers.push(await listen(service, { path }, true));
    return path;
  } catch {
    return undefined;
  }
}
