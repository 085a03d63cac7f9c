// --hgrm: percentile distributions as files. A path that ends with `.hgrm` is one file of the whole test, all phases and
// levels together; any other one is a folder with a file for each phase and level: `1-wave-20000-1000ms-high.hgrm`.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hgrmText } from '../histogram/hgrm.js';
import { Histogram } from '../histogram/histogram.js';
import { OutputFile } from './output-file.js';
import type { Measured } from './run.js';

function fileName(number: number, phase: string, level: string): string {
  return `${number}-${phase}-${level}.hgrm`.replaceAll(/[^\w.-]+/g, '-');
}

export class HgrmFiles {
  private readonly all: Histogram[] = [];
  private readonly whole: OutputFile | undefined;
  private runs = 0;

  constructor(
    private readonly path: string,
    private readonly note: (sentence: string) => void,
  ) {
    if (path.endsWith('.hgrm')) this.whole = new OutputFile('--hgrm', path, note);
    else {
      // What cannot be written is told now.
      try {
        mkdirSync(path, { recursive: true });
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw new Error(
          `--hgrm: ${path} cannot be made (${code}); name another folder, or a file that ends with .hgrm`,
        );
      }
    }
  }

  run(phase: string, { levels }: Measured): void {
    this.runs += 1;
    for (const { name, latency } of levels) {
      if (this.whole !== undefined) this.all.push(latency);
      else {
        const file = new OutputFile('--hgrm', join(this.path, fileName(this.runs, phase, name)), this.note);
        file.write(hgrmText(latency));
        file.close();
      }
    }
  }

  end(): void {
    this.whole?.write(hgrmText(Histogram.merge(this.all)));
    this.whole?.close();
  }
}
