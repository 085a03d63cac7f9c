// Outputs: the files that a test leaves, as its flags name them. In: what happens in a run (run.ts). Out: files, all opened
// before the test begins; latencies of each second are asked of the engine only where one of them wants them.

import { HistogramLog } from '../histogram/hlog.js';
import { reportHtml } from '../report/report.js';
import { type Slice, Timeline } from '../report/timeline.js';
import { ClientLog } from './client-log.js';
import { HgrmFiles } from './hgrm-files.js';
import { htmlReport, type Run } from './html-report.js';
import type { Level } from './levels.js';
import type { View } from './native.js';
import type { MccOptions } from './options.js';
import { OutputFile } from './output-file.js';
import type { Report, RunReport } from './report.js';
import type { Measured } from './run.js';

export interface Output {
  view?(view: View): void;
  slice?(slice: Slice): void;
  run?(report: RunReport, measured: Measured): void;
  /** `report` is missing where the test failed. */
  end(report?: Report): void;
}

type Note = (sentence: string) => void;

function clientLog(path: string, periodMs: number, note: Note): Output {
  const file = new OutputFile('--client-log', path, note);
  const log = new ClientLog((line) => file.write(line), periodMs);
  return { view: (view) => log.view(view), end: () => file.close() };
}

function histogramLog(path: string, levels: readonly Level[], command: string, note: Note): Output {
  const file = new OutputFile('--hlog', path, note);
  const log = new HistogramLog((text) => file.write(text), Date.now(), command);
  return {
    slice: ({ startMs, endMs, levels: parts }) =>
      parts.forEach(({ latency }, index) => {
        if (latency.count > 0)
          log.add({ startMs, endMs, tag: levels[index]?.name ?? String(index), histogram: latency });
      }),
    end: () => file.close(),
  };
}

function hgrmFiles(path: string, note: Note): Output {
  const files = new HgrmFiles(path, note);
  return { run: ({ phase }, measured) => files.run(phase, measured), end: () => files.end() };
}

function page(path: string, note: Note): Output {
  const file = new OutputFile('--html', path, note);
  const startMs = Date.now();
  const timeline = new Timeline();
  const runs: Run[] = [];
  return {
    slice: (slice) => timeline.add(slice),
    run: (report, measured) => runs.push({ report, measured }),
    end: (report) => {
      if (report !== undefined) file.write(reportHtml(htmlReport(report, startMs, runs, timeline.slices)));
      file.close();
    },
  };
}

/** Throws a sentence that names the flag where a file cannot be written. */
export function openOutputs(options: MccOptions, command: string, note: Note): Output[] {
  const { hgrm, hlog, clientLog: log, html, logMs, levels } = options;
  return [
    ...(hgrm === undefined ? [] : [hgrmFiles(hgrm, note)]),
    ...(hlog === undefined ? [] : [histogramLog(hlog, levels, command, note)]),
    ...(log === undefined ? [] : [clientLog(log, logMs, note)]),
    ...(html === undefined ? [] : [page(html, note)]),
  ];
}
