// Five per cent of loss, reordering and duplication, each way: what the tests with faults have in common.
// In: what the stack's fault port counted. Out: flags for it, and the judgement that all of it really happened.
import * as assert from 'uvu/assert';
import type { EchoResult } from './kernel-peers.js';

export const FAULT_BYTES = 10_000_000;
const SHARE = 0.05;
const KINDS = ['drop', 'reorder', 'duplicate'] as const;
const COUNTED = ['dropped', 'reordered', 'duplicated'] as const;

/** Keys of the configuration. */
export function faultKeys(seed: number): Record<string, string> {
  const keys = (['rx', 'tx'] as const).flatMap((way) => KINDS.map((kind) => [`fault_${way}_${kind}`, `${SHARE}`]));
  return { ...Object.fromEntries(keys), fault_seed: `${seed}`, rto_min: '20ms' };
}

export function flagsOf(keys: Readonly<Record<string, string>>): string[] {
  return Object.entries(keys).flatMap(([key, value]) => [`--${key.replaceAll('_', '-')}`, value]);
}

export function assertEchoed(result: EchoResult): void {
  assert.is(result.fault, undefined);
  assert.is(result.bytes, FAULT_BYTES);
  assert.is(result.received, result.sent);
}

/** Every kind of fault, in both directions, as often as was asked for. */
export function assertDamaged(faults: Readonly<Record<string, number>> | undefined): void {
  for (const way of ['rx', 'tx']) {
    const frames = faults?.[`${way}_frames`] ?? 0;
    assert.ok(frames > 5_000, `${frames} frames`);
    for (const kind of COUNTED) {
      const share = (faults?.[`${way}_${kind}`] ?? 0) / frames;
      assert.ok(share > SHARE / 2 && share < SHARE * 2, `${way} ${kind}: ${share} of ${frames} frames`);
    }
  }
}
