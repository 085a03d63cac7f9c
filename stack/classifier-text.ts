// Classifier rules as config lines: `payload[5] == 0x01 and length > 80 -> high`.
// In: one line. Out: a level's name and a Condition, or QST_ERR_CLASSIFIER_INVALID that names the column and what may
// stand there. Grammar (`and` binds more tightly than `or`):
//   rule = or "->" level      or = and {"or" and}      and = item {"and" item}      item = "(" or ")" | test
//   test = field compare | field number | ("src" | "dst") "net" ["==" | "!="] prefix | "tcp" "flags" ("has" | "lacks") flags
//        | "pcap" '"' pcap-filter expression '"'
//   field = ("payload" | "tcp" | "ip" | "ip4" | "ip6" | "frame") "[" offset [":" width [":" "le"]] "]" ["&" mask]
//         | "tcp" "flags" ["&" mask] | ("src" | "dst") "port" | "vlan" ("id" | "pcp") | "ether" "type" | "dscp" | "length"
//   flags = flag | "{" flag {"," flag} "}"      flag = "fin" | "syn" | "rst" | "psh" | "ack" | "urg" | "ece" | "cwr"
//   compare = ("==" | "!=" | "<" | ">" | "<=" | ">=") number | "in" (number ".." number | "{" number {"," number} "}")
import {
  type Base,
  type ByteField,
  type Condition,
  type Field,
  fieldMax,
  invalid,
  NumberField,
  Place,
  test,
} from './classifier-condition.js';
import {
  type AddressField,
  destinationAddress,
  destinationPort,
  dscp,
  etherType,
  frameLength,
  pcap,
  sourceAddress,
  sourcePort,
  TCP_FLAGS,
  type TcpFlag,
  tcpFlags,
  vlanId,
  vlanPriority,
} from './classifier-fields.js';
import { QstackError } from './errors.js';

export interface ParsedRule {
  readonly level: string;
  readonly condition: Condition;
}

type Kind = 'number' | 'address' | 'text' | 'word' | 'symbol' | 'end';

interface Token {
  readonly kind: Kind;
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

const TOKEN =
  /\s*(?:(?<address>\d+\.\d+\.\d+\.\d+(?:\/\d+)?|(?<=\bnet\s*(?:[=!]=\s*)?)[\da-fA-F]*:[\da-fA-F:.]*(?:\/\d+)?)|(?<text>"[^"]*")|(?<number>0[xX][\da-fA-F]+|0[bB][01]+|\d+)|(?<word>[A-Za-z_]\w*)|(?<symbol>->|==|!=|<=|>=|&&|\|\||\.\.|[[\]:&<>{},()]))/y;
const BASES: readonly string[] = ['payload', 'tcp', 'ip', 'ip4', 'ip6', 'frame'] satisfies Base[];
const COMPARISONS = ['==', '!=', '<=', '>=', '<', '>'];
const FIELDS =
  'a field (payload[n], tcp[n], ip[n], ip4[n], ip6[n], frame[n], length, src port, dst port, src net, dst net, dscp, ' +
  'tcp flags, ether type, vlan id, vlan pcp) or pcap "…"';
const WIDTHS = ['1', '2', '4'];

function fault(column: number, expected: string, found: string): QstackError {
  const what = found === '' ? 'the end of the line' : `"${found}"`;
  return invalid(`column ${column}: expected ${expected}, found ${what}`);
}

/** Splits up to `->`, which is the last token: what follows is a name and not ours to split. */
function tokenize(line: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < line.trimEnd().length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(line);
    if (match === null) {
      const column = start + 1 + (line.slice(start).length - line.slice(start).trimStart().length);
      throw fault(column, 'a field, a number, a comparison or "->"', line[column - 1] ?? '');
    }
    const [kind, text = ''] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? ['end'];
    tokens.push({ kind: kind as Kind, text, column: TOKEN.lastIndex - text.length + 1 });
    if (text === '->') break;
  }
  const last = tokens.at(-1);
  const end = last?.text === '->' ? last.column + 2 : line.trimEnd().length + 1;
  return [...tokens, { kind: 'end', text: '', column: end }];
}

class Parser {
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(line: string) {
    this.tokens = tokenize(line);
  }

  /** A condition that is followed by `closing`; the column behind it. */
  whole(closing: '->' | ''): { condition: Condition; end: number } {
    const condition = this.any();
    if (closing === '->') this.expect('->', '"and", "or" or "->" and a level');
    if (this.peek().kind !== 'end') throw this.unexpected('"and", "or" or the end');
    return { condition, end: this.peek().column };
  }

  private peek(): Token {
    return this.tokens[this.at] as Token;
  }

  private unexpected(expected: string, token = this.peek()): QstackError {
    return fault(token.column, expected, token.text);
  }

  private take(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.at += 1;
    return token;
  }

  private accept(...texts: readonly string[]): boolean {
    if (!texts.includes(this.peek().text)) return false;
    this.at += 1;
    return true;
  }

  private expect(text: string, expected = `"${text}"`): void {
    if (!this.accept(text)) throw this.unexpected(expected);
  }

  private number(what: string): number {
    const token = this.peek();
    if (token.kind !== 'number') throw this.unexpected(what);
    this.at += 1;
    return Number(token.text);
  }

  private any(): Condition {
    let condition = this.all();
    while (this.accept('or', '||')) condition = condition.or(this.all());
    return condition;
  }

  private all(): Condition {
    let condition = this.item();
    while (this.accept('and', '&&')) condition = condition.and(this.item());
    return condition;
  }

  private item(): Condition {
    const start = this.peek();
    if (!this.accept('(')) return this.placed(start, () => this.test());
    const condition = this.any();
    this.expect(')', '"and", "or" or ")"');
    return condition;
  }

  /** A test that says something impossible: its faults, too, name a column. */
  private placed(start: Token, make: () => Condition): Condition {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof QstackError) || error.message.startsWith('column ')) throw error;
      throw invalid(`column ${start.column}: ${error.message}`);
    }
  }

  private test(): Condition {
    const token = this.take();
    if (token.text === 'tcp' && this.accept('flags')) return this.flags();
    if (BASES.includes(token.text)) return this.compare(this.bytes(token.text as Base).field);
    switch (token.text) {
      case 'length':
        return this.compare(frameLength.field);
      case 'dscp':
        return this.compare(dscp.field);
      case 'src':
        return this.end(sourcePort, sourceAddress);
      case 'dst':
        return this.end(destinationPort, destinationAddress);
      case 'vlan':
        return this.vlan();
      case 'ether':
        this.expect('type');
        return this.compare(etherType.field);
      case 'pcap':
        return this.filter();
      default:
        throw this.unexpected(FIELDS, token);
    }
  }

  private vlan(): Condition {
    if (this.accept('id')) return this.compare(vlanId.field);
    this.expect('pcp', '"id" or "pcp"');
    return this.compare(vlanPriority.field);
  }

  private filter(): Condition {
    const token = this.take();
    if (token.kind !== 'text') throw this.unexpected('a pcap-filter expression between quotation marks', token);
    return pcap(token.text.slice(1, -1));
  }

  private flags(): Condition {
    if (this.accept('has')) return tcpFlags.has(...this.flagList());
    if (this.accept('lacks')) return tcpFlags.lacks(...this.flagList());
    return this.compare((this.accept('&') ? tcpFlags.mask(this.number('a mask')) : tcpFlags).field);
  }

  private flagList(): [TcpFlag, ...TcpFlag[]] {
    if (!this.accept('{')) return [this.flag()];
    const flags: [TcpFlag, ...TcpFlag[]] = [this.flag()];
    while (this.accept(',')) flags.push(this.flag());
    this.expect('}', '"," or "}"');
    return flags;
  }

  private flag(): TcpFlag {
    const token = this.take();
    if (Object.hasOwn(TCP_FLAGS, token.text)) return token.text as TcpFlag;
    throw this.unexpected(`a flag (${Object.keys(TCP_FLAGS).join(', ')})`, token);
  }

  private end(port: NumberField, address: AddressField): Condition {
    if (this.accept('port')) return this.compare(port.field);
    this.expect('net', '"port" or "net"');
    const negated = this.accept('!=');
    if (!negated) this.accept('==');
    const token = this.take();
    if (token.kind !== 'address') throw this.unexpected('a network a.b.c.d/p or IPv6/p', token);
    return negated ? address.notIn(token.text) : address.in(token.text);
  }

  private bytes(base: Base): ByteField {
    this.expect('[');
    const place = new Place(base, this.number('an offset'));
    let field = this.width(place);
    if (this.accept(':')) {
      this.expect('le');
      field = field.le();
    }
    this.expect(']', '":" or "]"');
    return this.accept('&') ? field.mask(this.number('a mask')) : field;
  }

  private width(place: Place): ByteField {
    if (!this.accept(':')) return place.u8();
    const token = this.take();
    if (!WIDTHS.includes(token.text)) throw this.unexpected('a width of 1, 2 or 4 bytes', token);
    return token.text === '1' ? place.u8() : token.text === '2' ? place.u16() : place.u32();
  }

  private compare(field: Field): Condition {
    const token = this.peek();
    if (token.kind === 'number' && field.name !== undefined) return test(field, 'is', [this.number('a number')]);
    if (this.accept('in')) return this.membership(field);
    if (!COMPARISONS.includes(token.text)) throw this.unexpected('a comparison (== != < > <= >= in)');
    this.at += 1;
    return ordered(field, token.text, this.number('a number'));
  }

  private membership(field: Field): Condition {
    if (this.accept('{')) return this.list(field);
    const low = this.number('a range such as 1..9, or a list such as {1, 2}');
    this.expect('..');
    return test(field, 'in', [low, this.number('the end of the range')]);
  }

  private list(field: Field): Condition {
    const values = [this.number('a number')];
    while (this.accept(',')) values.push(this.number('a number'));
    this.expect('}', '"," or "}"');
    return test(field, 'oneOf', values);
  }
}

function ordered(field: Field, symbol: string, value: number): Condition {
  const number = new NumberField(field);
  switch (symbol) {
    case '==':
      return number.is(value);
    case '!=':
      return number.not(value);
    case '<':
      return number.under(value);
    case '>':
      return number.over(value);
    case '<=':
      return number.in(0, value);
    default:
      return number.in(value, fieldMax(field));
  }
}

/** `payload[5] == 1 and length > 80` */
export function parseCondition(text: string): Condition {
  return new Parser(text).whole('').condition;
}

/** One line of `classify`. With `levels`, the level must be one of them. */
export function parseRuleText(line: string, levels?: readonly string[]): ParsedRule {
  const { condition, end } = new Parser(line).whole('->');
  const level = line.slice(end - 1).trim();
  const known = levels === undefined ? level !== '' : levels.includes(level);
  if (known) return { level, condition };
  const column = end + line.slice(end - 1).length - line.slice(end - 1).trimStart().length;
  throw fault(column, levels === undefined ? 'a level' : `a level (${levels.join(', ')})`, level);
}
