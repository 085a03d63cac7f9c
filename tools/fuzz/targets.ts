// What can be fuzzed: native targets under libFuzzer, and properties of the TypeScript under fast-check.
// In: a name. Out: where its program, its inputs and its findings lie. test/fuzz/targets.hh says what each one checks.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILD = join(ROOT, 'build/asan');

export interface NativeTarget {
  readonly name: string;
  /** Longest input in bytes that libFuzzer makes. */
  readonly inputBytesMax: number;
}

export const NATIVE_TARGETS: readonly NativeTarget[] = [
  { name: 'packet', inputBytesMax: 800 },
  { name: 'rules', inputBytesMax: 600 },
  { name: 'rings', inputBytesMax: 800 },
  { name: 'redis', inputBytesMax: 1_200 },
  { name: 'capi', inputBytesMax: 600 },
];

export interface PropertyTarget {
  readonly name: string;
  /** Test files that ask the environment for the number of cases. */
  readonly tests: readonly string[];
}

export const PROPERTY_TARGETS: readonly PropertyTarget[] = [
  { name: 'config', tests: ['config/random'] },
  { name: 'classifier', tests: ['stack/classifier-text', 'stack/classifier-native'] },
];

export interface Places {
  readonly program: string;
  /** Inputs that are part of the repository. */
  readonly committed: string;
  /** Inputs found on this machine, kept from run to run. */
  readonly found: string;
  readonly findings: string;
}

export function placesOf(name: string): Places {
  return {
    program: join(BUILD, 'test/fuzz', `fuzz_${name}`),
    committed: join(ROOT, 'test/fuzz/corpus', name),
    found: join(BUILD, 'corpus', name),
    findings: join(BUILD, 'findings', name),
  };
}
