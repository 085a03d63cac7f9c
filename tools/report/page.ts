// The page around a report: style for dark and light, wide and narrow, and the script that reads plots out. Everything is in
// the file itself, and its policy forbids a browser to fetch anything.
import { escaped } from '../plot/text.js';
import { SCRIPT } from './script.js';

const STYLE = `
:root {
  color-scheme: light dark;
  --back: #fff; --card: #f6f8fa; --line: #d8dee4; --text: #1f2328; --soft: #59636e;
  --s0: #0969da; --s1: #cf222e; --s2: #1a7f37; --s3: #9a6700; --s4: #8250df; --s5: #0e7490; --s6: #bf3989; --s7: #57606a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0d1117; --card: #161b22; --line: #30363d; --text: #e6edf3; --soft: #9198a1;
    --s0: #58a6ff; --s1: #ff7b72; --s2: #3fb950; --s3: #d29922; --s4: #bc8cff; --s5: #39c5cf; --s6: #f778ba; --s7: #8b949e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 20px 16px 48px; }
h1 { margin: 0; font-size: 26px; }
h2 { margin: 40px 0 12px; padding-top: 20px; border-top: 1px solid var(--line); font-size: 19px; }
header p { margin: 0 0 10px; color: var(--soft); }
pre {
  margin: 0; padding: 10px 12px; border-radius: 8px; background: var(--card);
  font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
}
.facts { display: flex; flex-wrap: wrap; gap: 4px 28px; margin: 0 0 14px; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 12px; margin-bottom: 20px; }
.tile { padding: 12px 16px; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
.tile h3 { margin: 0; font-size: 15px; font-weight: 600; }
.tile .facts { justify-content: space-between; gap: 4px 12px; margin: 0; }
.big { margin: 2px 0 6px; font-size: 30px; font-weight: 600; line-height: 1.2; font-variant-numeric: tabular-nums; }
.big small { color: var(--soft); font-size: 14px; font-weight: 400; }
.run { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); gap: 12px 28px; align-items: start; }
.run .tiles { order: 1; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); }
.wide { overflow-x: auto; }
details { margin-top: 8px; }
summary { margin-bottom: 8px; cursor: pointer; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child { padding-left: 0; text-align: left; }
thead th { color: var(--soft); font-size: 13px; font-weight: 400; }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 24px; }
.chart { margin: 0 0 20px; max-width: 780px; min-width: 0; }
.charts .chart { margin: 0; }
.chart figcaption { font-weight: 600; }
.chart svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
.chart svg:focus-visible { outline: 2px solid var(--s0); outline-offset: 2px; border-radius: 6px; }
svg text { fill: var(--soft); font: 11.5px system-ui, sans-serif; }
svg .grid { stroke: var(--line); stroke-width: 0.6; }
svg line.bound { stroke: var(--soft); stroke-dasharray: 2 3; }
svg text.bound { font-size: 10px; }
svg .cursor { stroke: var(--text); stroke-width: 0.8; }
svg polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
svg .dashed { stroke-dasharray: 5 4; }
.key { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 2px 0 0; padding: 0; list-style: none; font-size: 13.5px; }
.key output { color: var(--soft); font-variant-numeric: tabular-nums; }
i { display: inline-block; width: 10px; height: 10px; margin-right: 7px; border-radius: 3px; }
${['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7'].map((look) => `i.${look} { background: var(--${look}); } svg polyline.${look} { stroke: var(--${look}); } svg circle.${look} { fill: var(--${look}); }`).join('\n')}
i.muted { background: var(--soft); } svg polyline.muted { stroke: var(--soft); } svg circle.muted { fill: var(--soft); }
i.dashed { height: 0; border-top: 2px dashed var(--soft); background: none; vertical-align: middle; border-radius: 0; width: 14px; }
@media (min-width: 761px) {
  .run svg text { font-size: 9px; }
  .run svg polyline { stroke-width: 1.3; }
}
@media (max-width: 760px) {
  .charts, .run { grid-template-columns: minmax(0, 1fr); }
  .run .tiles { order: 0; margin-bottom: 8px; }
  svg text { font-size: 14px; }
  svg text.bound { font-size: 12px; }
}
@media print { .chart, .tile { break-inside: avoid; } }
`;

/** `sections` are HTML. */
export function page(title: string, sections: readonly string[]): string {
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">`,
    '<meta name="referrer" content="no-referrer">',
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    '<main>',
    ...sections,
    '</main>',
    `<script>${SCRIPT}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}
