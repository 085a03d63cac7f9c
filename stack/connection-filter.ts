// ConnectionFilter: which connections `qstack ss` lists, in the words of ss: `state established`, `sport = :80`,
// `dst 10.0.0.0/24`, each perhaps behind `not`, all of them at once.
// In: text. Out: a plain object that travels to app threads, and a test of one connection. Faults are sentences.
import { networkOf, parseIpv4, parsePrefix } from './config/address.js';
import { ipv6Number, parseIpv6 } from './config/ipv6.js';
import { QstackError } from './errors.js';

export type PortTest = '=' | '!=' | '<' | '>' | '<=' | '>=';

export type FilterTerm = { not: boolean } & (
  | { kind: 'state'; states: string[] }
  | { kind: 'port'; side: 'local' | 'remote'; test: PortTest; port: number }
  /** `address`: a number with its prefix length for IPv4, the text for one IPv6 address. */
  | { kind: 'address'; side: 'local' | 'remote'; address: number | string; length: number; port: number }
);

export type ConnectionFilter = FilterTerm[];

export interface Endpoints {
  local: { address: number | string; port: number };
  remote: { address: number | string; port: number };
}

/** In the words of ss, and what each stands for. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  established: ['ESTABLISHED'],
  'syn-sent': ['SYN-SENT'],
  'syn-recv': ['SYN-RECEIVED'],
  'fin-wait-1': ['FIN-WAIT-1'],
  'fin-wait-2': ['FIN-WAIT-2'],
  'close-wait': ['CLOSE-WAIT'],
  'last-ack': ['LAST-ACK'],
  closing: ['CLOSING'],
  connected: [
    'ESTABLISHED',
    'SYN-SENT',
    'SYN-RECEIVED',
    'FIN-WAIT-1',
    'FIN-WAIT-2',
    'CLOSE-WAIT',
    'LAST-ACK',
    'CLOSING',
  ],
};

const TESTS: Readonly<Record<string, PortTest>> = {
  ...{ '=': '=', '==': '=', eq: '=', '!=': '!=', ne: '!=', '<': '<', lt: '<', '>': '>', gt: '>' },
  ...{ '<=': '<=', le: '<=', '>=': '>=', ge: '>=' },
};

export const FILTER_SYNTAX =
  'state NAME, sport = :PORT, dport >= :PORT, src ADDRESS[/PREFIX][:PORT], dst …, each perhaps behind `not`, all of them at once';

function fault(sentence: string): QstackError {
  return new QstackError('QST_ERR_INVALID_ARGUMENT', `filter: ${sentence}; accepted is ${FILTER_SYNTAX}`);
}

function portOf(text: string): number {
  const port = Number(text.replace(/^:/, ''));
  if (/^:?\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw fault(`"${text}" is no port`);
}

/** `10.0.0.5`, `10.0.0.0/24`, `10.0.0.5:80`, `[fd00::1]:80`, `fd00::1`. */
function addressOf(text: string): { address: number | string; length: number; port: number } {
  const [, ipv6 = text, ipv6Port = ''] = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? [];
  const six = parseIpv6(ipv6);
  if (six !== undefined) return { address: six, length: 128, port: ipv6Port === '' ? 0 : portOf(ipv6Port) };
  const [addressText = '', portText] = text.split(':');
  const port = portText === undefined ? 0 : portOf(portText);
  const prefix = parsePrefix(addressText);
  if (prefix !== undefined) return { address: networkOf(prefix.address, prefix.length), length: prefix.length, port };
  const address = parseIpv4(addressText);
  if (address === undefined) throw fault(`"${text}" is no address`);
  return { address, length: 32, port };
}

/** Reads words one after the other. */
class Words {
  private at = 0;

  constructor(private readonly all: readonly string[]) {}

  get next(): string | undefined {
    return this.all[this.at];
  }

  take(what: string): string {
    const word = this.all[this.at++];
    if (word === undefined) throw fault(`${what} is missing at the end`);
    return word;
  }
}

function termOf(words: Words): FilterTerm {
  let word = words.take('a term').toLowerCase();
  const not = word === 'not' || word === '!';
  if (not) word = words.take('a term').toLowerCase();
  if (word === 'state') {
    const name = words.take('a state').toLowerCase();
    if (!Object.hasOwn(STATES, name)) throw fault(`"${name}" is none of the states ${Object.keys(STATES).join(', ')}`);
    return { kind: 'state', not, states: [...(STATES[name] as readonly string[])] };
  }
  if (word === 'sport' || word === 'dport') {
    const side = word === 'sport' ? 'local' : 'remote';
    const test = Object.hasOwn(TESTS, words.next ?? '') ? (TESTS[words.take('a comparison')] as PortTest) : '=';
    return { kind: 'port', not, side, test, port: portOf(words.take('a port')) };
  }
  if (word === 'src' || word === 'dst') {
    const side = word === 'src' ? 'local' : 'remote';
    return { kind: 'address', not, side, ...addressOf(words.take('an address')) };
  }
  throw fault(word === 'or' ? '`or` is not known here' : `"${word}" is not understood`);
}

/** `sport=:80` is one word in a shell, and three here. */
function wordsOf(text: string): string[] {
  return text
    .replaceAll(/\s*(==|!=|<=|>=|=|<|>)\s*/g, ' $1 ')
    .split(/\s+/)
    .filter((word) => word !== '');
}

export function parseConnectionFilter(text: string): ConnectionFilter {
  const words = new Words(wordsOf(text));
  const terms: ConnectionFilter = [];
  while (words.next !== undefined) {
    terms.push(termOf(words));
    if (/^(and|&&)$/i.test(words.next ?? '')) words.take('a term');
  }
  return terms;
}

function passesPort(port: number, test: PortTest, than: number): boolean {
  switch (test) {
    case '=':
      return port === than;
    case '!=':
      return port !== than;
    case '<':
      return port < than;
    case '>':
      return port > than;
    case '<=':
      return port <= than;
    default:
      return port >= than;
  }
}

function isWithin(own: number | string, address: number | string, length: number): boolean {
  if (typeof own === 'number' && typeof address === 'number') return networkOf(own, length) === address;
  return typeof own === 'string' && typeof address === 'string' && ipv6Number(own) === ipv6Number(address);
}

/** Addresses and ports alone: states are asked of the stack. */
export function passesEndpoints(filter: ConnectionFilter, ends: Endpoints): boolean {
  return filter.every((term) => {
    if (term.kind === 'state') return true;
    const end = ends[term.side];
    const passes =
      term.kind === 'port'
        ? passesPort(end.port, term.test, term.port)
        : isWithin(end.address, term.address, term.length) && (term.port === 0 || term.port === end.port);
    return passes !== term.not;
  });
}

export function passesState(filter: ConnectionFilter, state: string): boolean {
  return filter.every((term) => term.kind !== 'state' || term.states.includes(state) !== term.not);
}
