// Rules: the classifier's rules, how often each has matched, the policy, and forms that put others in their place.
// In: snapshots, the forms. Out: a table; changes.
import type { RuleFigures, Snapshot } from '../snapshot.js';
import { formatCount } from './format.js';
import { LinesForm } from './lines-form.js';
import { levelColor } from './panel.js';
import { bar, dotted, showTable } from './tables.js';
import { color } from './theme.js';

const by = (id: string) => document.getElementById(id) as HTMLElement;

export class RulesPanel {
  private readonly rules = new LinesForm('rules', ({ length }) =>
    length === 0
      ? 'Done: only the program’s own rules are left.'
      : 'Done: frames are judged by these rules from now on.',
  );
  private readonly policy = new LinesForm('policy', ({ length }) =>
    length === 0
      ? 'Done: every queue goes by the program’s own policy again.'
      : 'Done: every queue goes by this policy from now on.',
  );

  /** Where a program has no rules there is nothing to see. */
  draw({ rules, policy, levels }: Snapshot): void {
    by('rules').hidden = rules === undefined;
    if (rules === undefined) return;
    this.rules.draw(rules.lines, rules.active ? '' : 'Priorities are off (pri_enable = 0): no rule is asked.');
    by('policy-form').hidden = policy === undefined;
    if (policy !== undefined) this.policy.draw(policy.lines);
    const most = Math.max(1, ...rules.all.map(({ hits_per_s }) => hits_per_s));
    showTable<RuleFigures>(
      document.querySelector('#rules .table') as Element,
      [
        { head: 'rule', kind: 'rule', cell: ({ rule }) => rule },
        { head: 'from', kind: 'text', cell: ({ from, rule }) => (rule === 'otherwise' ? '' : from), optional: true },
        {
          head: 'level',
          kind: 'text',
          cell: ({ level }) => dotted(level, levelColor({ levels }, level)),
        },
        { head: 'frames', cell: ({ hits }) => formatCount(hits) },
        { head: 'a second', cell: ({ hits_per_s }) => formatCount(hits_per_s) },
        { head: '', kind: 'bar', cell: ({ hits_per_s }) => bar(hits_per_s / most, color('accent')), optional: true },
      ],
      rules.all,
      'No rules.',
    );
  }

  focus(): void {
    this.rules.focus();
  }
}
