// LinesForm: lines of the configuration that can be changed while the program runs: its rules, or its policy.
// In: the lines in force, what somebody types, the token. Out: a change that was made, or why not, said below the form. What
// somebody types is never overwritten.
import { ApiFault, hasToken, putLines, setToken } from './api.js';

const by = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;

const tokenRow = () => by('token-row');

export class LinesForm {
  private readonly what: 'rules' | 'policy';
  /** The sentence that says what a change has done. */
  private readonly done: (lines: readonly string[]) => string;
  private readonly lines: HTMLTextAreaElement;
  private readonly said: HTMLElement;
  private inForce: readonly string[] = [];
  private touched = false;

  constructor(what: 'rules' | 'policy', done: (lines: readonly string[]) => string) {
    this.what = what;
    this.done = done;
    this.lines = by(`${what}-lines`);
    this.said = by(`${what}-said`);
    by(`${what}-form`).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.apply();
    });
    this.lines.addEventListener('input', () => {
      this.touched = true;
    });
    by(`${what}-reset`).addEventListener('click', () => {
      this.touched = false;
      this.lines.value = this.inForce.join('\n');
      this.say('');
    });
    tokenRow().hidden = hasToken();
  }

  draw(inForce: readonly string[], note = ''): void {
    this.inForce = inForce;
    if (this.touched) return;
    this.lines.value = inForce.join('\n');
    if (note !== '') this.say(note);
  }

  focus(): void {
    this.lines.focus();
    this.lines.scrollIntoView({ block: 'center' });
  }

  private say(sentence: string, bad = false): void {
    this.said.textContent = sentence;
    this.said.className = bad ? 'said bad-text' : 'said';
  }

  private async apply(): Promise<void> {
    const token = by<HTMLInputElement>('token');
    if (token.value !== '') setToken(token.value.trim());
    const lines = this.lines.value.split('\n').filter((line) => line.trim() !== '');
    try {
      await putLines(this.what, lines);
      this.touched = false;
      token.value = '';
      tokenRow().hidden = true;
      this.say(this.done(lines));
    } catch (error) {
      if (error instanceof ApiFault && error.status === 401) tokenRow().hidden = false;
      this.say((error as Error).message, true);
    }
  }
}
