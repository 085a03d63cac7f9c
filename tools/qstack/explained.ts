// What a capture's frames come to under some rules: each frame's level with the reason, counts by rule, and the cost.
// In: rules, levels, frames. Out: plain objects, and lines for a person.
// The reason comes from the slow reading of the rules, the rule from the table that a stack would judge by: where the two
// do not agree there is a fault in qstack, and it is said.
import { compile, explain, flatten, formatRule, type Rule } from '../../stack/classifier.js';
import { locate } from '../../stack/classifier-locate.js';
import { formatEndpoint } from '../../stack/config/address.js';
import { formatIpv6 } from '../../stack/config/ipv6.js';
import { type CapturedFrame, loadNative } from '../../stack/native.js';

export interface RuleTable {
  readonly rules: readonly Rule[];
  readonly levels: readonly string[];
  readonly otherwise: string;
  /** 0: behind the parsed TCP header. */
  readonly payloadAt: number;
}

export interface ExplainedFrame {
  /** From 1, as in other tools. */
  readonly frame: number;
  readonly seconds: number;
  readonly length: number;
  readonly source: string | undefined;
  readonly destination: string | undefined;
  readonly level: string;
  /** Number of the rule, from 0. */
  readonly rule: number | undefined;
  readonly why: string;
}

export interface ExplainedCapture {
  readonly frames: readonly ExplainedFrame[];
  readonly rules: readonly { readonly rule: string; readonly frames: number }[];
  readonly otherwise: number;
  readonly not_tcp: number;
  /** Of the native classifier, headers located before. */
  readonly ns_per_frame: number;
}

interface Ends {
  readonly source: string | undefined;
  readonly destination: string | undefined;
}

function endsOf(bytes: Uint8Array): Ends {
  const found = locate(bytes, undefined);
  if (found === undefined) return { source: undefined, destination: undefined };
  const { frame, version, start } = found;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const end = (at4: number, at6: number, port: number) => {
    const address =
      version === 4 ? view.getUint32(start.ip + at4) : formatIpv6(frame.subarray(start.ip + at6, start.ip + at6 + 16));
    return formatEndpoint(address, view.getUint16(start.tcp + port));
  };
  return { source: end(12, 8, 0), destination: end(16, 24, 2) };
}

function optionsOf({ otherwise, payloadAt }: RuleTable) {
  return payloadAt > 0 ? { otherwise, payloadAt } : { otherwise };
}

/** The number of the rule that the native classifier finds; undefined: none, or no segment. */
function nativeRules(table: RuleTable, frames: readonly Uint8Array[]): (number | undefined)[] {
  const entries = flatten(table.rules, table.levels);
  const bytes = compile(table.rules, table.levels, optionsOf(table));
  return loadNative()
    .matchFrames(bytes, frames)
    .map((entry) => entries[entry]?.source);
}

export function explainCapture(captured: readonly CapturedFrame[], table: RuleTable): ExplainedCapture {
  const { rules, levels } = table;
  const bytes = captured.map((frame) => frame.bytes);
  const native = nativeRules(table, bytes);
  const first = captured[0];
  const startS = first === undefined ? 0 : first.seconds + first.microseconds / 1e6;
  let notTcp = 0;
  const frames = captured.map((frame, index): ExplainedFrame => {
    const { level, rule, why, rules: tried } = explain(rules, levels, frame.bytes, optionsOf(table));
    const ends = endsOf(frame.bytes);
    if (ends.source === undefined) notTcp += 1;
    if (rule !== native[index]) {
      throw new Error(
        `frame ${index + 1}: the stack finds rule ${native[index]}, the reference rule ${rule}; please report it`,
      );
    }
    const short = frame.bytes.length < frame.length && tried.length > 0 ? ' (the capture has cut this frame)' : '';
    const seconds = Number((frame.seconds + frame.microseconds / 1e6 - startS).toFixed(6));
    return { frame: index + 1, seconds, length: frame.length, ...ends, level, rule, why: `${why}${short}` };
  });
  const counts = rules.map((rule, index) => ({
    rule: formatRule(rule),
    frames: frames.filter((frame) => frame.rule === index).length,
  }));
  const matched = counts.reduce((sum, count) => sum + count.frames, 0);
  return {
    frames,
    rules: counts,
    otherwise: frames.length - matched - notTcp,
    not_tcp: notTcp,
    ns_per_frame: loadNative().classifyCost(compile(rules, levels, optionsOf(table)), bytes),
  };
}

export function frameLine({ frame, seconds, length, source, destination, level, why }: ExplainedFrame): string {
  const ends = source === undefined ? '' : `${source} > ${destination}  `;
  return `${frame}  ${seconds.toFixed(6)}  ${ends}${length} B  ${level}  ${why}`;
}

export function summaryLines(capture: ExplainedCapture, otherwise: string): string[] {
  return [
    `${capture.frames.length} frames:`,
    ...capture.rules.map(({ rule, frames }, index) => `  ${frames}  rule ${index}: ${rule}`),
    `  ${capture.otherwise}  otherwise -> ${otherwise}`,
    `  ${capture.not_tcp}  no TCP segment: control`,
    `${capture.ns_per_frame.toFixed(1)} ns a frame (\`npm run bench -- classify\` has C functions beside it)`,
  ];
}
