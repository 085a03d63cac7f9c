// Rules: the classifier's rules, how often each has matched, and a form that puts others in their place.
// In: snapshots, the form. Out: a table; a change that was made, or why not. What somebody types is never overwritten.
import type { RuleFigures, Snapshot } from '../snapshot.js';
import { ApiFault, hasToken, putRules, setToken } from './api.js';
import { formatCount } from './format.js';
import { bar, dotted, showTable } from './tables.js';
import { color } from './theme.js';

const by = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;

export class RulesPanel {
  private readonly lines = by<HTMLTextAreaElement>('rules-lines');
  private readonly said = by('rules-said');
  private readonly token = by<HTMLInputElement>('token');
  private inForce: readonly string[] = [];
  private touched = false;

  constructor() {
    by('rules-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.apply();
    });
    this.lines.addEventListener('input', () => {
      this.touched = true;
    });
    by('rules-reset').addEventListener('click', () => {
      this.touched = false;
      this.lines.value = this.inForce.join('\n');
      this.say('');
    });
    this.askToken(!hasToken());
  }

  /** Where a program has no rules there is nothing to see. */
  draw({ rules, policy, levels }: Snapshot): void {
    (by('rules') as HTMLElement).hidden = rules === undefined;
    if (rules === undefined) return;
    this.inForce = rules.lines;
    if (!this.touched) this.lines.value = rules.lines.join('\n');
    by('policy').textContent = policy === undefined ? '' : `Policy: ${policy.text}; ${policy.fixed}`;
    if (!rules.active && !this.touched) this.say('Priorities are off (pri_enable = 0): no rule is asked.');
    const most = Math.max(1, ...rules.all.map(({ hits_per_s }) => hits_per_s));
    showTable<RuleFigures>(
      document.querySelector('#rules .table') as Element,
      [
        { head: 'rule', kind: 'rule', cell: ({ rule }) => rule },
        { head: 'from', kind: 'text', cell: ({ from, rule }) => (rule === 'otherwise' ? '' : from), optional: true },
        {
          head: 'level',
          kind: 'text',
          cell: ({ level }) => dotted(level, color(`level-${Math.max(0, levels.indexOf(level)) % 8}`)),
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
    this.lines.focus();
    this.lines.scrollIntoView({ block: 'center' });
  }

  private askToken(asks: boolean): void {
    by('token-row').hidden = !asks;
  }

  private say(sentence: string, bad = false): void {
    this.said.textContent = sentence;
    this.said.className = bad ? 'bad-text' : '';
  }

  private async apply(): Promise<void> {
    if (this.token.value !== '') setToken(this.token.value.trim());
    const lines = this.lines.value.split('\n').filter((line) => line.trim() !== '');
    try {
      await putRules(lines);
      this.touched = false;
      this.inForce = lines;
      this.token.value = '';
      this.askToken(false);
      this.say(
        lines.length === 0
          ? 'Done: only the program’s own rules are left.'
          : 'Done: frames are judged by these rules from now on.',
      );
    } catch (error) {
      if (error instanceof ApiFault && error.status === 401) this.askToken(true);
      this.say((error as Error).message, true);
    }
  }
}
