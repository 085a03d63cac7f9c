// Log: one line per event on stderr; a sentence for a person at a terminal, JSON for a program that reads.
// In: level, a stable code, a sentence and fields. The same code is written at most once a second: a fault that comes with
// every packet costs one line, whose `suppressed` says how often it came since. Stdout is never used: it is for results.
import { type Level, type Logger as Pino, pino, stdTimeFunctions } from 'pino';

export type LogLevel = Level | 'silent';
export type Fields = Readonly<Record<string, unknown>>;

const PERIOD_MS = 1_000;
/** Codes are a fixed set in our own sources; a bound all the same, since user code may log as well. */
const CODES_MAX = 1_024;

export interface LogOptions {
  level?: LogLevel;
  /** Where lines go; stderr by default. */
  write?: (line: string) => void;
  /** A person reads: whether stderr is a terminal, by default. */
  human?: boolean;
  nowMs?: () => number;
}

interface Gate {
  code: string;
  openAtMs: number;
  suppressed: number;
}

export class Log {
  private readonly pino: Pino;
  private readonly gates = new Map<string, Gate>();
  private readonly nowMs: () => number;

  constructor(options: LogOptions = {}) {
    const write = options.write ?? ((line: string) => void process.stderr.write(line));
    const human = options.human ?? process.stderr.isTTY === true;
    this.nowMs = options.nowMs ?? Date.now;
    const settings = {
      level: options.level ?? 'info',
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
    };
    this.pino = pino(settings, { write: (line) => write(human ? humanLine(line) : line) });
  }

  set level(level: LogLevel) {
    this.pino.level = level;
  }

  debug(code: string, sentence: string, fields: Fields = {}): void {
    this.write('debug', code, sentence, fields);
  }

  info(code: string, sentence: string, fields: Fields = {}): void {
    this.write('info', code, sentence, fields);
  }

  /** `gate`: what is held back together, where a code has several sources. */
  warn(code: string, sentence: string, fields: Fields = {}, gate = code): void {
    this.write('warn', code, sentence, fields, gate);
  }

  error(code: string, sentence: string, fields: Fields = {}): void {
    this.write('error', code, sentence, fields);
  }

  private write(level: Level, code: string, sentence: string, fields: Fields, gate = code): void {
    if (!this.pino.isLevelEnabled(level)) return;
    const suppressed = this.pass(gate, code);
    if (suppressed < 0) return;
    this.pino[level]({ code, ...fields, ...(suppressed > 0 ? { suppressed } : {}) }, sentence);
  }

  /** How many lines were held back at this gate since the last one; -1 to hold back this one as well. */
  private pass(name: string, code: string): number {
    const nowMs = this.nowMs();
    const gate = this.gates.get(name);
    if (gate !== undefined && nowMs < gate.openAtMs) {
      gate.suppressed += 1;
      return -1;
    }
    if (gate === undefined && this.gates.size >= CODES_MAX) this.gates.clear();
    this.gates.set(name, { code, openAtMs: nowMs + PERIOD_MS, suppressed: 0 });
    return gate?.suppressed ?? 0;
  }

  /** What was held back and never followed by another line, at the end of a program. */
  flush(): void {
    for (const gate of this.gates.values()) {
      const { code, suppressed } = gate;
      if (suppressed > 0) this.pino.info({ code, suppressed }, `${suppressed} more of ${code}`);
      gate.suppressed = 0;
    }
  }
}

/** `12:30:01 warn  the sentence  code=… key=value`. */
function humanLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${[msg, ...rest].join('  ')}\n`;
}
