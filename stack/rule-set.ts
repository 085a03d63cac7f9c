// The rules of one running stack: those of the configuration first, then those of the program; each part can be replaced.
// In: rules and config lines, any time. Out: the table that the stack judges by, and how often each rule has matched.
// Invariant: a frame is judged by one version alone; the counts of a version begin at 0 and end when it is replaced.
import { formatRule, type Rule } from './classifier.js';
import type { ClassifyLine, StackSettings } from './config/settings.js';
import type { NativeAddon, StackId } from './native.js';
import { compileRules, type RuleSource, rulesOf } from './serve.js';

export interface RuleHits<L extends string = string> {
  /** As a config line has it; `otherwise` for the frames that no rule matched. */
  readonly rule: string;
  readonly level: L;
  /** Frames of TCP that it gave their level. */
  readonly hits: number;
}

interface Version {
  readonly rules: readonly Rule[];
  /** Of each entry of the table: which rule it comes from. */
  readonly sources: readonly number[];
}

const NONE: Version = { rules: [], sources: [] };

export class StackRules<L extends string = string> {
  private readonly native: NativeAddon;
  private readonly stack: StackId;
  private readonly settings: StackSettings;
  private definition: RuleSource;
  private lines: readonly string[];
  private version: Version = NONE;

  /** The stack judges by these rules from now on. */
  constructor(native: NativeAddon, stack: StackId, definition: RuleSource, settings: StackSettings) {
    this.native = native;
    this.stack = stack;
    this.settings = settings;
    this.definition = definition;
    this.lines = textsOf(settings.classify);
    this.put(definition, this.lines);
  }

  /** In place of the program's rules; what those of before had counted. Faults change nothing. */
  replace(rules: readonly Rule<L>[]): RuleHits<L>[] {
    return this.put({ ...this.definition, rules }, this.lines);
  }

  /** In place of the configuration's rules. */
  replaceLines(lines: readonly ClassifyLine[]): RuleHits<L>[] {
    return this.put(this.definition, textsOf(lines));
  }

  /** Of the configuration. */
  get lineTexts(): readonly string[] {
    return this.lines;
  }

  hits(): RuleHits<L>[] {
    return this.named(this.version, this.native.ruleHits(this.stack));
  }

  private put(definition: RuleSource, lines: readonly string[]): RuleHits<L>[] {
    const rules = rulesOf(definition, { ...this.settings, lines });
    const { table, sources } = compileRules(definition, rules, this.settings.payloadAt);
    const counted = this.named(this.version, this.native.classify(this.stack, table));
    this.definition = definition;
    this.lines = lines;
    this.version = { rules, sources };
    return counted;
  }

  /** Alternatives of one rule are entries of their own in the table. */
  private named({ rules, sources }: Version, counts: readonly number[]): RuleHits<L>[] {
    if (counts.length === 0) return [];
    const sums = new Array<number>(rules.length).fill(0);
    sources.forEach((source, entry) => {
      sums[source] = (sums[source] as number) + (counts[entry] ?? 0);
    });
    const named = rules.map((rule, i) => ({ rule: formatRule(rule), level: rule.level as L, hits: sums[i] as number }));
    return [...named, { rule: 'otherwise', level: this.definition.otherwise as L, hits: counts.at(-1) ?? 0 }];
  }
}

function textsOf(lines: readonly ClassifyLine[]): string[] {
  return lines.map((line) => line.text);
}
