// HTTP/1.1 as far as a file server needs it: request heads out of a stream of bytes, response heads as text (RFC 9112).
// In: chunks, cut anywhere. Out: requests in order, or the status that refuses one. A head is at most HEAD_MAX bytes; bodies
// are not accepted, so that the next request starts right behind a head.
export const HEAD_MAX = 8_192;

export interface Request {
  method: 'GET' | 'HEAD';
  /** Path of the target, still percent-encoded, without the query. */
  path: string;
  keepAlive: boolean;
  /** One range of bytes as it was asked for; undefined without one, or with several (which may be ignored, RFC 9110 14.2). */
  range: { first: number | undefined; last: number | undefined } | undefined;
}

/** What cannot be served; the connection is closed behind the answer, because where the next head starts is unknown. */
export interface Refusal {
  refused: number;
}

export const STATUS: Readonly<Record<number, string>> = {
  200: 'OK',
  206: 'Partial Content',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  416: 'Range Not Satisfiable',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  505: 'HTTP Version Not Supported',
};

function readRange(text: string | undefined): Request['range'] {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const number = (digits: string | undefined) => (digits ? Number(digits) : undefined);
  return { first: number(match[1]), last: number(match[2]) };
}

function readFields(lines: readonly string[]): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (match === null) return undefined;
    fields.set((match[1] as string).toLowerCase(), match[2] as string);
  }
  return fields;
}

/** `head` is everything before the empty line. */
export function parseHead(head: string): Request | Refusal {
  const [start = '', ...lines] = head.split('\r\n');
  const match = /^([A-Z]+) (\S+) HTTP\/(\d)\.(\d)$/.exec(start);
  const fields = readFields(lines);
  if (match === null || fields === undefined) return { refused: 400 };
  const [, method, target = '', major, minor] = match;
  if (major !== '1') return { refused: 505 };
  if (minor !== '0' && !fields.has('host')) return { refused: 400 };
  if (fields.has('transfer-encoding') || (fields.get('content-length') ?? '0') !== '0') return { refused: 413 };
  if (method !== 'GET' && method !== 'HEAD') return { refused: 405 };
  const path = target.replace(/^https?:\/\/[^/]*/i, '').replace(/[?#].*$/s, '');
  const wish = (fields.get('connection') ?? '').toLowerCase();
  const keepAlive = minor === '0' ? wish === 'keep-alive' : wish !== 'close';
  return { method, path: path === '' ? '/' : path, keepAlive, range: readRange(fields.get('range')) };
}

/** Finds heads in a stream of chunks. */
export class HeadReader {
  private text = '';

  /** The requests that this chunk completes, in order. After a refusal nothing more is read. */
  push(chunk: Uint8Array): (Request | Refusal)[] {
    this.text += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    const requests: (Request | Refusal)[] = [];
    for (;;) {
      const end = this.text.indexOf('\r\n\r\n');
      if (end < 0 ? this.text.length > HEAD_MAX : end > HEAD_MAX) return [...requests, { refused: 431 }];
      if (end < 0) return requests;
      const request = parseHead(this.text.slice(0, end).replace(/^(\r\n)+/, ''));
      this.text = this.text.slice(end + 4);
      requests.push(request);
      if ('refused' in request) return requests;
    }
  }
}

export function responseHead(status: number, fields: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS[status] ?? 'Unknown'}\r\n${lines.join('')}\r\n`;
}

/** A whole answer without a file. */
export function statusResponse(status: number, keepAlive: boolean, withBody: boolean): string {
  const body = `${status} ${STATUS[status] ?? ''}\n`;
  const head = responseHead(status, {
    'Content-Type': 'text/plain',
    'Content-Length': body.length,
    Connection: keepAlive ? 'keep-alive' : 'close',
    ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
  });
  return withBody ? head + body : head;
}

/** First and last byte to send, or undefined when no byte of the file is in the range. */
export function resolveRange(
  range: NonNullable<Request['range']>,
  size: number,
): { first: number; last: number } | undefined {
  const fromEnd = range.first === undefined;
  const first = fromEnd ? Math.max(0, size - (range.last ?? 0)) : (range.first ?? 0);
  const last = fromEnd ? size - 1 : Math.min(range.last ?? size - 1, size - 1);
  return first <= last ? { first, last } : undefined;
}
