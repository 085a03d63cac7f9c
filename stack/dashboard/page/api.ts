// Api: what the page asks of the program. In: a number, or lines of a configuration. Out: snapshots, or the sentence that says what was wrong.
// The token comes in the URL's fragment, which no server and no proxy sees; from there it moves to this tab's storage.
import type { Snapshot } from '../snapshot.js';

const KEY = 'qstack-token';

export class ApiFault extends Error {
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

export function takeToken(): void {
  const token = /[#&]token=([^&]+)/.exec(location.hash)?.[1];
  if (token === undefined) return;
  setToken(decodeURIComponent(token));
  history.replaceState(null, '', location.pathname);
}

export function setToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

export function hasToken(): boolean {
  return (sessionStorage.getItem(KEY) ?? '') !== '';
}

async function ask(path: string, init: RequestInit = {}): Promise<unknown> {
  const token = sessionStorage.getItem(KEY);
  const headers = token === null || token === '' ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(path, { ...init, headers, signal: AbortSignal.timeout(8_000) });
  const body: unknown = await response.json();
  if (response.ok) return body;
  throw new ApiFault(response.status, (body as { error?: string }).error ?? response.statusText);
}

export async function snapshots(after: number): Promise<Snapshot[]> {
  return (await ask(`/api/snapshots?after=${after}`)) as Snapshot[];
}

export async function putLines(what: 'rules' | 'policy', lines: readonly string[]): Promise<void> {
  await ask(`/api/${what}`, { method: 'POST', body: JSON.stringify({ lines }) });
}
