// Classifiers and policies that a long run swaps under load. Each is valid but one, which must change nothing; and none of them gives a
// heartbeat the high level, so that the order of heartbeats holds whatever was read when.
// In: a number. Out: lines of a configuration, and the words with which the server answers SIGHUP.

export interface RuleVariant {
  readonly lines: readonly string[];
  readonly answer: RegExp;
}

/** Of a request; a heartbeat has 0 there. */
const IS_REQUEST = 'payload[5] == 1';
const MANY = 40;

const STRICT = ['policy = strict'];
const WEIGHTED = ['policy = weighted', 'weights = high 4, low 1'];
const DEADLINE = ['policy = deadline', 'deadlines = high 5ms, low 100ms'];

function valid(policy: readonly string[], ...rules: string[]): RuleVariant {
  return {
    lines: [...policy, ...rules.map((rule) => `classify = ${rule}`)],
    answer: new RegExp(`: ${rules.length} rules and the policy are in place$`),
  };
}

/** Ports that no device has. */
function many(): string[] {
  return Array.from({ length: MANY }, (_, index) => `src port in ${index + 1}..${index + 2} and ${IS_REQUEST} -> high`);
}

export const RULE_VARIANTS: readonly RuleVariant[] = [
  valid(STRICT),
  valid(WEIGHTED, `length > 700 and ${IS_REQUEST} -> low`),
  valid(DEADLINE, `${IS_REQUEST} -> high`, 'dst port == 80 -> low'),
  valid(STRICT, 'dscp == 46 -> high', `pcap "tcp[37] = 1 and len > 120" -> high`),
  valid(WEIGHTED, ...many()),
  { lines: ['classify = payload[5] == 1 -> loud'], answer: /: rules and policy stay as they are: .*expected a level/ },
];
