// The policy as lines of a configuration, for who changes it while a stack runs.
// In: `policy = weighted`, `weights = high 4, low 1`. Out: settings, or one QST_ERR_CONFIG_INVALID that names every wrong line.
import { QstackError } from '../errors.js';
import { type Entry, type Fault, formatFault } from './fault.js';
import { inOrder, readValues } from './load.js';
import { type PolicyPart, policyOf } from './settings.js';
import { parseConfText } from './text.js';

const KEYS = ['policy', 'starvation_bound', 'weights', 'deadlines', 'max_age'];

function strange({ where, key }: Entry): Fault {
  return { where, key, fault: 'is no key of a policy', accepts: KEYS.join(', ') };
}

const sentenceOf = (fault: Fault) => formatFault({ ...fault, where: fault.where.replace(':', ' ') });

export function readPolicyLines(lines: readonly string[]): PolicyPart {
  const { entries, faults } = parseConfText(lines.join('\n'), 'line');
  faults.push(...entries.filter(({ key }) => !KEYS.includes(key)).map(strange));
  const values = readValues(
    entries.filter(({ key }) => KEYS.includes(key)),
    faults,
  );
  if (faults.length === 0) return policyOf(values);
  throw new QstackError('QST_ERR_CONFIG_INVALID', inOrder(faults).map(sentenceOf).join('; '));
}
