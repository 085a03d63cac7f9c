// FlagReader: values of flags, one by one. In: the texts that commander found. Out: numbers, addresses, choices; what is not
// accepted becomes a sentence that names its flag, and reading goes on, so that all faults are told at once.
import { parseIpv4 } from '../../stack/config/address.js';
import { parseCount, parseDurationMs, parseRatePerS } from '../../stack/config/units.js';

/** The longest time that a flag takes; MCC's own default of `-d`. */
const TIME_MAX_MS = 1_000_000_000;

export type FlagTexts = Record<string, string | readonly string[] | boolean | undefined>;

/** Reads flags one by one and keeps every fault. */
export class FlagReader {
  readonly faults: string[] = [];
  readonly warnings: string[] = [];

  constructor(private readonly values: FlagTexts) {}

  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === 'string' ? value : undefined;
  }

  refuse(flag: string, text: string | undefined, accepts: string): void {
    this.faults.push(`${flag}: "${text ?? ''}" is not accepted; ${accepts}`);
  }

  number(
    name: string,
    flag: string,
    read: (text: string) => number | undefined,
    accepts: string,
    fallback = 0,
  ): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = read(text);
    if (value === undefined) this.refuse(flag, text, accepts);
    return value ?? fallback;
  }

  count(name: string, flag: string, least: number, most: number, fallback = 0): number {
    const inRange = (text: string) => {
      const value = parseCount(text);
      return value !== undefined && value >= least && value <= most ? value : undefined;
    };
    return this.number(name, flag, inRange, `a whole number from ${least} to ${most}`, fallback);
  }

  /** Bare numbers are seconds, as in MCC. */
  seconds(name: string, flag: string, leastMs = 0, fallbackMs = 0): number {
    const inRange = (text: string) => {
      const ms = parseDurationMs(text, 1_000);
      return ms !== undefined && ms >= leastMs && ms <= TIME_MAX_MS ? ms : undefined;
    };
    return this.number(name, flag, inRange, 'a time such as 30s, 250ms or a number of seconds', fallbackMs);
  }

  address(name: string, flag: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const address = parseIpv4(text);
    if (address === undefined) this.refuse(flag, text, 'an address a.b.c.d');
    return address;
  }

  /** Of a flag that may be given several times. */
  texts(name: string): readonly string[] {
    const value = this.values[name];
    return Array.isArray(value) ? value : [];
  }

  choice(name: string, flag: string, accepted: readonly string[]): string {
    const text = this.text(name) ?? '';
    if (!accepted.includes(text)) this.refuse(flag, text, `one of ${accepted.join(', ')}`);
    return text;
  }

  /** Per second, rounded; 0 without the flag. */
  rate(name: string, flag: string): number {
    const accepts = 'a rate of at least 1/s, such as 5k/s';
    const atLeastOne = (text: string) => Math.round(parseRatePerS(text) ?? 0) || undefined;
    return this.number(name, flag, atLeastOne, accepts);
  }
}
