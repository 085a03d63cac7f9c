// Theme: dark or light, as the system has it until the user says otherwise. In: a click. Out: `data-theme` on the page.
// It is loaded first, so that the page is drawn in its own colours at once.
const KEY = 'qstack-theme';
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

function chosen(): string {
  return localStorage.getItem(KEY) ?? (prefersDark.matches ? 'dark' : 'light');
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = chosen();
}

export function toggleTheme(): void {
  localStorage.setItem(KEY, chosen() === 'dark' ? 'light' : 'dark');
  applyTheme();
}

export function onSystemTheme(changed: () => void): void {
  prefersDark.addEventListener('change', changed);
}

/** A colour of style.css. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

applyTheme();
