// Readers: how the text of one setting becomes a value. A reader knows its range and can say it in a sentence.

import { didYouMean } from './fault.js';
import { formatDuration, formatSize, parseCount, parseDurationMs, parseShare, parseSizeBytes } from './units.js';

export type Read<T> = { value: T } | { fault: string };

export interface Reader<T> {
  read(text: string): Read<T>;
  /** What is accepted, as it stands behind the semicolon of a fault. */
  accepts: string;
}

function fault(text: string, what: string): { fault: string } {
  return { fault: `"${text}" ${what}` };
}

function between(value: number | undefined, min: number, max: number, text: string, kind: string): Read<number> {
  if (value === undefined) return fault(text, `is not ${kind}`);
  return value < min || value > max ? fault(text, 'is out of range') : { value };
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

export function count(min: number, max: number): Reader<number> {
  const accepts = `a whole number from ${grouped(min)} to ${grouped(max)}`;
  return { accepts, read: (text) => between(parseCount(text), min, max, text, 'a whole number') };
}

/** `bareMs`: the unit of a number without one (1,000 where the originals wrote seconds). */
export function duration(minMs: number, maxMs: number, bareMs?: number): Reader<number> {
  const accepts = `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 30s or 250ms`;
  return { accepts, read: (text) => between(parseDurationMs(text, bareMs), minMs, maxMs, text, 'a duration') };
}

/** A duration, or 0 (also -1, as mTCP writes it) for "never". */
export function durationOrNever(minMs: number, maxMs: number, bareMs: number): Reader<number> {
  const some = duration(minMs, maxMs, bareMs);
  const read = (text: string) => (/^(0|-1|never|off)$/.test(text) ? { value: 0 } : some.read(text));
  return { accepts: `${some.accepts}, or 0 for never`, read };
}

/** Bytes; a bare number up to `segmentsMax` counts segments of 1,400 B, as QStack's rcvbuf and sndbuf do. */
export function bufferSize(minBytes: number, maxBytes: number, segmentsMax: number): Reader<number> {
  const accepts = `a size from ${formatSize(minBytes)} to ${formatSize(maxBytes)}, such as 64KiB`;
  return {
    accepts,
    read(text) {
      const bytes = parseSizeBytes(text);
      const segments = /^\d+$/.test(text) && Number(text) <= segmentsMax;
      return between(segments ? Number(text) * 1_400 : bytes, minBytes, maxBytes, text, 'a size');
    },
  };
}

export function share(): Reader<number> {
  const read = (text: string) => between(parseShare(text), 0, 1, text, 'a share');
  return { accepts: 'a share from 0 to 1, such as 0.05 or 5%', read };
}

export function flag(): Reader<boolean> {
  const words: Record<string, boolean> = {
    1: true,
    yes: true,
    on: true,
    true: true,
    0: false,
    no: false,
    off: false,
    false: false,
  };
  const read = (text: string): Read<boolean> => {
    const value = Object.hasOwn(words, text) ? words[text] : undefined;
    return value === undefined ? fault(text, 'is neither on nor off') : { value };
  };
  return { accepts: '1 or 0 (also yes, no, on, off)', read };
}

/** One of some words. `refused` names words that mean something that is not there yet, with the reason. */
export function oneOf<const W extends string>(
  words: readonly W[],
  refused: Readonly<Record<string, string>> = {},
): Reader<W> {
  const read = (text: string): Read<W> => {
    const value = words.find((word) => word === text);
    if (value !== undefined) return { value };
    const reason = Object.hasOwn(refused, text) ? refused[text] : undefined;
    return fault(text, reason ?? `is not known${didYouMean(text, words)}`);
  };
  return { accepts: words.join(' | '), read };
}

/** Anything that `parse` takes; undefined means "not of this kind", a string is the sentence that says why not. */
export function parsed<T extends object | number>(
  parse: (text: string) => T | string | undefined,
  kind: string,
  accepts: string,
): Reader<T> {
  const read = (text: string): Read<T> => {
    const value = parse(text);
    if (value === undefined) return fault(text, `is not ${kind}`);
    return typeof value === 'string' ? { fault: value } : { value };
  };
  return { accepts, read };
}

/** `name value` for some levels, with commas between. Whether these levels exist is judged when they are known. */
export function perLevel(one: Reader<number>, example: string): Reader<Record<string, number>> {
  const read = (text: string): Read<Record<string, number>> => {
    const values: Record<string, number> = {};
    for (const item of text.split(',').map((part) => part.trim())) {
      const [, name, value] = /^([A-Za-z][\w-]*)\s*[ :=]\s*(\S+)$/.exec(item) ?? [];
      if (name === undefined || value === undefined) return fault(item, 'is no level with a value');
      if (Object.hasOwn(values, name)) return fault(name, 'stands there twice');
      const known = one.read(value);
      if ('fault' in known) return known;
      values[name] = known.value;
    }
    return { value: values };
  };
  return { accepts: `\`${example}\`: for each level ${one.accepts}`, read };
}

/** Any text at all, for what another reader judges later. */
export function anyText(accepts: string): Reader<string> {
  return { accepts, read: (text) => ({ value: text }) };
}

/** A token: never repeated in a fault, because faults are printed. */
export function secret(): Reader<string> {
  const read = (text: string): Read<string> =>
    /^[\w.~+/=-]{12,128}$/.test(text) ? { value: text } : { fault: 'what was given is no token' };
  return { accepts: '12 to 128 letters, digits or any of `. _ ~ + / = -`', read };
}
