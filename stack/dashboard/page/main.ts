// The page: asks once a second for what is new and draws it. In: snapshots, keys, clicks. Out: what people see.
// A paused page asks for nothing; what it missed comes when it goes on, as far as the program still has it.
import { ApiFault, setToken, snapshots, takeToken } from './api.js';
import { formatAge } from './format.js';
import { History } from './history.js';
import { Panels } from './panels.js';
import { RulesPanel } from './rules.js';
import { applyTheme, onSystemTheme, toggleTheme } from './theme.js';
import { drawTiles } from './tiles.js';

const PERIOD_MS = 1_000;
const RETRY_MS = 2_000;

const by = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;

takeToken();
const history_ = new History();
const panels = new Panels(history_, () => draw());
const rules = new RulesPanel();
let paused = false;

function say(state: 'live' | 'paused' | 'lost', text: string): void {
  const line = by('state');
  line.dataset.state = state;
  if (line.textContent !== text) line.textContent = text;
}

function draw(): void {
  const { current } = history_;
  if (current === undefined) return;
  const { program, at_ms } = current;
  document.title = `${program.name} · qstack`;
  by('program').textContent = program.name;
  by('about').textContent =
    `${program.about} · version ${program.version}, process ${program.pid}, up ${formatAge((at_ms - program.started_ms) / 1_000)}`;
  by('whole').hidden = !history_.isZoomed;
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-window]')) {
    button.setAttribute(
      'aria-pressed',
      String(!history_.isZoomed && Number(button.dataset.window) === history_.windowS),
    );
  }
  drawTiles(current);
  panels.draw();
  rules.draw(current);
}

/** Milliseconds until the next time. */
async function look(): Promise<number> {
  if (paused) return PERIOD_MS;
  try {
    const news = await snapshots(history_.lastNumber);
    history_.add(news);
    if (paused) return PERIOD_MS;
    if (news.length > 0 && !document.hidden) draw();
    say('live', 'live');
    return PERIOD_MS;
  } catch (error) {
    if (error instanceof ApiFault && error.status === 401) return askToken(error.message);
    say('lost', 'no answer: is the program still running?');
    return RETRY_MS;
  }
}

function askToken(sentence: string): number {
  say('lost', 'a token is needed');
  const token = prompt(`${sentence}\n\nToken:`);
  if (token === null) setPaused(true);
  else setToken(token.trim());
  return RETRY_MS;
}

async function run(): Promise<void> {
  const wait = await look();
  setTimeout(() => void run(), wait);
}

function setPaused(to: boolean): void {
  paused = to;
  const button = by('pause');
  button.setAttribute('aria-pressed', String(paused));
  button.textContent = paused ? 'Go on' : 'Pause';
  if (paused) say('paused', 'paused');
}

function setWindow(seconds: number): void {
  history_.windowS = seconds;
  history_.zoomOut();
  draw();
}

function changeTheme(): void {
  toggleTheme();
  panels.forget();
  draw();
}

function zoomed(change: () => void): void {
  change();
  draw();
}

const KEYS: Readonly<Record<string, () => void>> = {
  ' ': () => setPaused(!paused),
  p: () => setPaused(!paused),
  1: () => setWindow(60),
  5: () => setWindow(300),
  0: () => zoomed(() => history_.zoomOut()),
  '+': () => zoomed(() => history_.zoomBy(0.5)),
  '=': () => zoomed(() => history_.zoomBy(0.5)),
  '-': () => zoomed(() => history_.zoomBy(2)),
  ArrowLeft: () => zoomed(() => history_.move(-0.25)),
  ArrowRight: () => zoomed(() => history_.move(0.25)),
  d: changeTheme,
  r: () => rules.focus(),
  '?': () => by<HTMLDialogElement>('keys').showModal(),
};

document.addEventListener('keydown', (event) => {
  const target = event.target as HTMLElement;
  const isTyping = /^(TEXTAREA|INPUT|SELECT)$/.test(target.tagName);
  if (event.key === 'Escape' && isTyping) target.blur();
  const isButton = target.tagName === 'BUTTON' && event.key === ' ';
  if (isTyping || isButton || event.ctrlKey || event.metaKey || event.altKey || by<HTMLDialogElement>('keys').open)
    return;
  const action = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : undefined;
  if (action === undefined) return;
  event.preventDefault();
  action();
});

by('pause').addEventListener('click', () => setPaused(!paused));
by('theme').addEventListener('click', changeTheme);
by('help').addEventListener('click', () => by<HTMLDialogElement>('keys').showModal());
by('whole').addEventListener('click', () => zoomed(() => history_.zoomOut()));
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-window]')) {
  button.addEventListener('click', () => setWindow(Number(button.dataset.window)));
}
by<HTMLSelectElement>('stage').addEventListener('change', (event) => {
  panels.stage = (event.target as HTMLSelectElement).value;
  panels.forget();
  draw();
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) draw();
});
onSystemTheme(() => {
  applyTheme();
  panels.forget();
  draw();
});

void run();
