// setting.cfg: HCMonitor's configuration, a part of libconfig's language: `key = value;` with whole and real numbers, true and
// false, texts, arrays and lists, and three kinds of comments.
// In: the file's text. Out: settings with HCMonitor's defaults, or every fault at once with its line. Keys that HCMonitor does
// not have are faults; those that mean nothing here are warnings.

export type CfgValue = number | boolean | string | readonly CfgValue[];

export interface SettingCfg {
  enableHTTP: number;
  server_port: number;
  enableHY: number;
  enableHTTPS: number;
  payload_len: number;
  enableMCC: number;
  rx_queues: number;
  pr_queues: number;
  interval: number;
  buffer_pkt: number;
  LabelOffset: number;
  request_label: readonly number[];
  response_label: readonly number[];
  enablePri: number;
  rspPri: number;
  Hrate: number;
  PriOffset: number;
  PriLabelHigh: number;
  PriLabelLow: number;
  enablePython: number;
  enableSQL: number;
}

export const SETTING_DEFAULTS: Readonly<SettingCfg> = {
  enableHTTP: 0,
  server_port: 80,
  enableHY: 0,
  enableHTTPS: 0,
  payload_len: 1500,
  enableMCC: 0,
  rx_queues: 4,
  pr_queues: 4,
  interval: 60,
  buffer_pkt: 5_000_000,
  LabelOffset: 6,
  request_label: [0, 2],
  response_label: [1, 3],
  enablePri: 0,
  rspPri: 0,
  Hrate: 0.05,
  PriOffset: 5,
  PriLabelHigh: 1,
  PriLabelLow: 0,
  enablePython: 0,
  enableSQL: 0,
};

export const SETTING_KEYS = Object.keys(SETTING_DEFAULTS) as readonly (keyof SettingCfg)[];

type Range = readonly [least: number, most: number];
const FLAG: Range = [0, 1];
const BYTE: Range = [0, 255];
const RANGES: Readonly<Partial<Record<keyof SettingCfg, Range>>> = {
  enableHTTP: FLAG,
  server_port: [1, 65_535],
  enableHY: FLAG,
  enableHTTPS: FLAG,
  payload_len: [0, 65_535],
  enableMCC: FLAG,
  rx_queues: [1, 64],
  pr_queues: [1, 64],
  interval: [1, 86_400],
  buffer_pkt: [1, 2 ** 32],
  LabelOffset: [0, 1_400],
  enablePri: FLAG,
  rspPri: FLAG,
  PriOffset: [0, 1_400],
  PriLabelHigh: BYTE,
  PriLabelLow: BYTE,
  enablePython: FLAG,
  enableSQL: FLAG,
};

/** What is accepted and does nothing, with what does it here. */
const WITHOUT_EFFECT: Readonly<Partial<Record<keyof SettingCfg, string>>> = {
  enableHY: 'it has no effect here',
  enablePython: 'the live table and --json take its place',
  enableSQL: '--json takes its place',
};

export interface Setting {
  readonly settings: SettingCfg;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

interface Token {
  readonly text: string;
  readonly line: number;
}

const TOKEN = /\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|[[\](){},;=:]|[^\s[\](){},;=:"#]+|"/y;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [found] = match;
    if (!/^(\s|#|\/\/|\/\*)/.test(found)) tokens.push({ text: found, line });
    line += found.split('\n').length - 1;
  }
  return tokens;
}

function scalarOf(text: string): CfgValue | undefined {
  if (/^(true|false)$/i.test(text)) return /^true$/i.test(text);
  if (/^[-+]?\d+L{0,2}$/.test(text)) return Number.parseInt(text, 10);
  if (/^0x[\da-f]+L{0,2}$/i.test(text)) return Number.parseInt(text, 16);
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return Number(text);
  return /^".*"$/s.test(text) ? text.slice(1, -1) : undefined;
}

/** Reads `key = value` one after the other; what cannot be read is a fault, and reading goes on behind the next `;`. */
class CfgReader {
  readonly entries: { key: string; value: CfgValue; line: number }[] = [];
  readonly faults: string[] = [];
  private at = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly file: string,
  ) {
    while (this.at < tokens.length) this.entry();
  }

  private next(): Token | undefined {
    const token = this.tokens[this.at];
    this.at += 1;
    return token;
  }

  private peek(): string {
    return this.tokens[this.at]?.text ?? '';
  }

  private entry(): void {
    const key = this.next() as Token;
    const value =
      /^[A-Za-z*][-\w*]*$/.test(key.text) && /^[=:]$/.test(this.next()?.text ?? '') ? this.value() : undefined;
    if (value === undefined) {
      this.faults.push(`${this.file}:${key.line}: "${key.text}" is not followed by = and a value`);
      while (this.at < this.tokens.length && this.peek() !== ';') this.at += 1;
    } else {
      this.entries.push({ key: key.text, value, line: key.line });
    }
    while (/^[;,]$/.test(this.peek())) this.at += 1;
  }

  private value(): CfgValue | undefined {
    const token = this.next();
    if (token === undefined) return undefined;
    const end = token.text === '[' ? ']' : token.text === '(' ? ')' : undefined;
    if (end === undefined) return scalarOf(token.text);
    const items: CfgValue[] = [];
    while (this.peek() !== end) {
      const item = this.value();
      if (item === undefined) return undefined;
      items.push(item);
      if (this.peek() === ',') this.at += 1;
    }
    this.at += 1;
    return items;
  }
}

function inRange(value: unknown, [least, most]: Range): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

/** What the value of a key must be; undefined: it is. */
function valueFault(key: keyof SettingCfg, value: CfgValue): string | undefined {
  const range = RANGES[key];
  if (range !== undefined) {
    return inRange(value, range) ? undefined : `a whole number from ${range[0]} to ${range[1]} is expected`;
  }
  if (key === 'Hrate')
    return typeof value === 'number' && value >= 0 && value <= 1 ? undefined : 'a share of 1 is expected';
  const isList = Array.isArray(value) && value.length > 0 && value.every((item) => inRange(item, BYTE));
  return isList ? undefined : 'a list of bytes such as [0, 2] is expected';
}

export function parseSettingCfg(text: string, file: string): Setting {
  const reader = new CfgReader(tokensOf(text), file);
  const faults = [...reader.faults];
  const warnings: string[] = [];
  const settings: Record<string, unknown> = { ...SETTING_DEFAULTS };
  for (const { key, value: read, line } of reader.entries) {
    const known = SETTING_KEYS.find((name) => name === key);
    const value = typeof read === 'boolean' ? Number(read) : read;
    const fault =
      known === undefined ? `there is no such key; the keys are ${SETTING_KEYS.join(', ')}` : valueFault(known, value);
    if (fault !== undefined) faults.push(`${file}:${line}: ${key}: ${fault}`);
    else settings[key] = value;
    const idle = known === undefined ? undefined : WITHOUT_EFFECT[known];
    if (idle !== undefined && value === 1) warnings.push(`${file}:${line}: ${key}: ${idle}`);
  }
  return { settings: settings as unknown as SettingCfg, faults, warnings };
}
