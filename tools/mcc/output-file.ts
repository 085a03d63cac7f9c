// A file that is written while a test runs. It is opened before the test begins, so that a path that cannot be written is
// told before anything is measured; a disk that is full later ends the file, and the test goes on.
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

export class OutputFile {
  private handle: number | undefined;

  /** `flag` is named where it cannot be written. */
  constructor(
    private readonly flag: string,
    private readonly path: string,
    private readonly note: (sentence: string) => void,
  ) {
    try {
      mkdirSync(dirname(resolve(path)), { recursive: true });
      this.handle = openSync(path, 'w');
    } catch (error) {
      throw new Error(
        `${flag}: ${path} cannot be written (${(error as NodeJS.ErrnoException).code}); name another file`,
      );
    }
  }

  write(text: string): void {
    if (this.handle === undefined) return;
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.handle, bytes, at);
    } catch (error) {
      this.note(`${this.flag}: ${this.path} could not be written further (${(error as NodeJS.ErrnoException).code})`);
      this.close();
    }
  }

  close(): void {
    if (this.handle !== undefined) closeSync(this.handle);
    this.handle = undefined;
  }
}
