// Routes: what each path answers. In: a request that the server has bounded. Out: a page, figures, or a change that was made.
//   GET /                      the page, whose figures come by /api/snapshots
//   GET /healthz               `ok`, for whoever only asks whether we live
//   GET /metrics               Prometheus
//   GET /api/snapshots?after=N the snapshots behind number N, at most the last five minutes
//   GET /api/stages            the histogram of each stage and level since the start
//   GET /api/connections?filter=…&limit=N  connections with their state, as `qstack ss` lists them
//   POST /api/rules            { "lines": […] }: new rules in the place of the configuration's; needs the token
//   POST /api/policy           { "lines": […] }: the same for the policy
// `trusted`: the request came by the control socket, which only this user can reach.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseConnectionFilter } from '../connection-filter.js';
import type { ConnectionQuery } from '../connection-list.js';
import { assetOf } from './assets.js';
import { CONTENT_TYPE } from './exposition.js';
import type { Guard, Refusal } from './guard.js';
import { refuse, send, sendJson } from './replies.js';
import type { Sampler } from './sampler.js';
import type { DashboardSource } from './source.js';

const BODY_BYTES_MAX = 64 * 1024;

export interface Service {
  source: DashboardSource;
  sampler: Sampler;
  guard: Guard;
}

class HttpFault extends Error {
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const tooLong = new HttpFault(413, `a body of at most ${BODY_BYTES_MAX} bytes is read`);
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) throw tooLong;
  const parts: Buffer[] = [];
  let bytes = 0;
  // Who sends too much is told so: leaving the loop would break the connection before that.
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw tooLong;
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new HttpFault(400, 'the body is no JSON');
  }
}

/** What can be changed by lines of a configuration. */
interface Change {
  /** As the program has none of it. */
  what: string;
  example: string;
  apply(source: DashboardSource): ((lines: readonly string[]) => void) | undefined;
}

const CHANGES: Readonly<Record<string, Change>> = {
  '/api/rules': {
    what: 'rules',
    example: 'payload[5] == 1 -> high',
    apply: (source) => source.classify?.bind(source),
  },
  '/api/policy': {
    what: 'policy',
    example: 'policy = strict',
    apply: (source) => source.schedule?.bind(source),
  },
};

function linesOf(body: unknown, example: string): string[] {
  const lines = (body as { lines?: unknown } | null)?.lines;
  const right = Array.isArray(lines) && lines.every((line) => typeof line === 'string');
  if (!right) throw new HttpFault(400, `expected is { "lines": ["${example}", …] }`);
  return (lines as string[]).map((line) => line.trim()).filter((line) => line !== '');
}

async function make(change: Change, { source }: Service, request: IncomingMessage, response: ServerResponse) {
  const apply = change.apply(source);
  if (apply === undefined) throw new HttpFault(404, `${source.program.name} has no ${change.what}`);
  const lines = linesOf(await bodyOf(request), change.example);
  try {
    apply(lines);
  } catch (error) {
    throw new HttpFault(422, (error as Error).message);
  }
  sendJson(response, 200, { lines });
}

function afterOf(query: URLSearchParams): number {
  const after = Number(query.get('after') ?? '0');
  if (Number.isSafeInteger(after) && after >= 0) return after;
  throw new HttpFault(400, 'after: a whole number is expected');
}

const LIMIT = 100;
const LIMIT_MAX = 10_000;

function queryOf(query: URLSearchParams): ConnectionQuery {
  const limit = Number(query.get('limit') ?? LIMIT);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    throw new HttpFault(400, `limit: a whole number from 1 to ${LIMIT_MAX} is expected`);
  }
  try {
    return { filter: parseConnectionFilter(query.get('filter') ?? ''), limit };
  } catch (error) {
    throw new HttpFault(400, (error as Error).message);
  }
}

type Route = (service: Service, response: ServerResponse, query: URLSearchParams) => Promise<void>;

const READS: Readonly<Record<string, Route>> = {
  '/metrics': async ({ source }, response) => send(response, 200, CONTENT_TYPE, await source.metrics()),
  '/api/snapshots': async ({ sampler }, response, query) =>
    sendJson(response, 200, await sampler.snapshots(afterOf(query))),
  '/api/stages': async ({ source }, response) => {
    if (source.stages === undefined) throw new HttpFault(404, `${source.program.name} has no stages`);
    sendJson(response, 200, await source.stages());
  },
  '/api/connections': async ({ source }, response, query) => {
    if (source.connections === undefined) throw new HttpFault(404, `${source.program.name} lists no connections`);
    sendJson(response, 200, await source.connections(queryOf(query)));
  },
};

async function read(
  service: Service,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  trusted: boolean,
): Promise<void> {
  if (url.pathname === '/healthz') return send(response, 200, 'text/plain; charset=utf-8', 'ok\n');
  const asset = assetOf(url.pathname);
  if (asset !== undefined) return send(response, 200, asset.type, asset.bytes);
  const route = Object.hasOwn(READS, url.pathname) ? READS[url.pathname] : undefined;
  if (route === undefined) throw new HttpFault(404, 'there is nothing here');
  const refusal = trusted ? null : service.guard.reading(request.headers);
  if (refusal !== null) return refuse(response, refusal.status, refusal.sentence);
  await route(service, response, url.searchParams);
}

async function change(
  service: Service,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  trusted: boolean,
): Promise<void> {
  const refusal: Refusal | null = trusted ? null : service.guard.changing(request.headers);
  if (refusal !== null) return refuse(response, refusal.status, refusal.sentence);
  const wanted = Object.hasOwn(CHANGES, url.pathname) ? CHANGES[url.pathname] : undefined;
  if (wanted === undefined) throw new HttpFault(404, 'there is nothing here');
  await make(wanted, service, request, response);
}

export async function answer(
  service: Service,
  request: IncomingMessage,
  response: ServerResponse,
  trusted: boolean,
): Promise<void> {
  try {
    const refusal = trusted ? null : service.guard.site(request.headers);
    if (refusal !== null) return refuse(response, refusal.status, refusal.sentence);
    const url = new URL(`http://here${(request.url ?? '/').replace(/^[^/]*/, '')}`);
    if (request.method === 'GET' || request.method === 'HEAD') await read(service, url, request, response, trusted);
    else if (request.method === 'POST') await change(service, url, request, response, trusted);
    else refuse(response, 405, `${request.method} is not known here`);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else if (error instanceof HttpFault) refuse(response, error.status, error.message);
    else refuse(response, 500, error instanceof Error ? error.message : String(error));
  }
}
