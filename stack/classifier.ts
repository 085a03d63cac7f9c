// Classifiers: which frames have which level, written in TypeScript or as config lines, compiled for native/classify.
// In: `level('alarm').when(payload(2).u8().is(1))`, or `payload[2] == 1 -> alarm`. Out: a byte table (compile), or the
// reason for one frame's level (explain). The first rule that matches wins; the default is the lowest level.
// Read first: classifier-condition.ts (what can be said), native/classify/classifier.hh (what it means).
import { type Condition, type Place, Place as PlaceAt } from './classifier-condition.js';
import { frameLength } from './classifier-fields.js';
import { level, type Rule } from './classifier-rule.js';
import { parseRuleText } from './classifier-text.js';
import { QstackError } from './errors.js';

export { ByteField, Condition, NumberField, Place } from './classifier-condition.js';
export { type ExplainedRule, type ExplainedTest, type Explanation, explain, formatRule } from './classifier-explain.js';
export {
  AddressField,
  destinationAddress,
  destinationPort,
  dscp,
  etherType,
  FlagsField,
  frameLength,
  pcap,
  sourceAddress,
  sourcePort,
  type TcpFlag,
  tcpFlags,
  vlanId,
  vlanPriority,
} from './classifier-fields.js';
export { level, type Rule, type RulesFor } from './classifier-rule.js';
export { type ClassifierOptions, compile, flatten } from './classifier-table.js';
export { parseCondition } from './classifier-text.js';

/** Bytes from the start of the Ethernet header. */
export function frame(offset: number): Place {
  return new PlaceAt('frame', offset);
}

/** Bytes from the start of the IP header. */
export function ip(offset: number): Place {
  return new PlaceAt('ip', offset);
}

/** Bytes from the start of the IP header of packets of IPv4; false for others. */
export function ip4(offset: number): Place {
  return new PlaceAt('ip4', offset);
}

/** Bytes from the start of the IP header of packets of IPv6; false for others. */
export function ip6(offset: number): Place {
  return new PlaceAt('ip6', offset);
}

/** Bytes from the start of the TCP header. */
export function tcp(offset: number): Place {
  return new PlaceAt('tcp', offset);
}

/** Bytes from the start of the TCP payload, behind all options; in a framed message from the message's first byte. */
export function payload(offset: number): Place {
  return new PlaceAt('payload', offset);
}

export const tcpPayload = payload;

/** One config line as a rule. QST_ERR_CLASSIFIER_INVALID names the column and what was expected there. */
export function parseRule(line: string): Rule;
export function parseRule<Name extends string>(line: string, levels: readonly Name[]): Rule<Name>;
export function parseRule(line: string, levels?: readonly string[]): Rule {
  return parseRuleText(line, levels);
}

/** For the configuration: the sentence that says what is wrong with a line, or undefined. */
export function ruleFault(line: string, levels: readonly string[] | undefined): string | undefined {
  try {
    parseRuleText(line, levels);
    return undefined;
  } catch (error) {
    if (error instanceof QstackError) return error.message;
    throw error;
  }
}

function isRequest(): Condition {
  return payload(5).u8().is(0x01).and(frameLength.over(80));
}

/** QStack's own rule for its IoT clients: a request is in `first`, everything else in the default level. */
export function iotRules<const Name extends string>(first: Name): Rule<Name>[] {
  return [level(first).when(isRequest())];
}
