// What a browser runs in a report: where the pointer is over a plot, or where the arrow keys have moved to, the key of the
// plot says each line's value. Without it the page shows all the same but that.
import { WIDTH } from '../plot/line-chart.js';

export const SCRIPT = `
for (const figure of document.querySelectorAll('figure.chart')) {
  const lines = JSON.parse(figure.querySelector('script').textContent);
  const svg = figure.querySelector('svg');
  const cursor = figure.querySelector('.cursor');
  const outputs = figure.querySelectorAll('output');
  const xs = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  let at = -1;
  const nearest = (all, x) =>
    all.reduce((best, other, index) => (Math.abs(other - x) < Math.abs(all[best] - x) ? index : best), 0);
  const show = (index) => {
    at = index;
    const x = index < 0 ? -9 : xs[index];
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    lines.forEach((line, number) => {
      outputs[number].textContent = index < 0 || line.x.length === 0 ? '' : line.text[nearest(line.x, x)];
    });
  };
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect();
    show(nearest(xs, ((event.clientX - box.left) / box.width) * ${WIDTH}));
  });
  svg.addEventListener('pointerleave', () => show(-1));
  svg.addEventListener('blur', () => show(-1));
  svg.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -xs.length, End: xs.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(Math.min(xs.length - 1, Math.max(0, at + step)));
  });
}
`;
