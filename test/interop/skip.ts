// Tests that need a network namespace: run where one can be had, skipped with the reason where not.
import type { uvu } from 'uvu';
import { Namespace } from './namespace.js';

export async function interop<T>(suite: uvu.Test<T>, add: (suite: uvu.Test<T>) => void): Promise<void> {
  const reason = await Namespace.missing();
  if (reason === undefined) {
    add(suite);
    return;
  }
  console.log(`skipped: ${reason}`);
  suite.skip(`needs a network namespace: ${reason}`, () => {});
}
