// Shrinking: the smallest limits under which a seed still fails in the same way.
// In: a finding, and a question: does it fail under these limits? Out: limits. Greedy: transfers, faults, hosts, bytes,
// features are left out as long as it still fails, and again from the front while that made anything smaller.
import { FEATURES, type Limits } from './limits.js';
import type { Finding } from './program.js';

/** Whether the seed still breaks the same promise; what is left of its plan, if so. */
export type Fails = (limits: Limits) => Promise<Finding | undefined>;

const RUNS_MAX = 300;
const HOSTS_MIN = 2;

interface State {
  limits: Limits;
  finding: Finding;
  runs: number;
}

async function attempt(state: State, limits: Limits, fails: Fails): Promise<boolean> {
  if (state.runs >= RUNS_MAX) return false;
  state.runs += 1;
  const finding = await fails(limits);
  if (finding === undefined) return false;
  state.limits = limits;
  state.finding = finding;
  return true;
}

/** Leaves out halves of a list, then quarters, down to single ones. */
async function shrinkList(state: State, name: 'transfers' | 'faults', fails: Fails): Promise<void> {
  let kept = state.limits[name] ?? state.finding.plan?.[name] ?? Array.from({ length: 16 }, (_, index) => index);
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length; ) {
      const rest = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (await attempt(state, { ...state.limits, [name]: rest }, fails)) kept = rest;
      else at += size;
    }
  }
}

async function shrinkHosts(state: State, fails: Fails): Promise<void> {
  const hosts = state.limits.hosts ?? state.finding.plan?.hosts ?? 4;
  for (let fewer = HOSTS_MIN; fewer < hosts; fewer += 1) {
    if (await attempt(state, { ...state.limits, hosts: fewer }, fails)) return;
  }
}

async function shrinkBytes(state: State, fails: Fails): Promise<void> {
  let bytes = state.limits.bytes ?? state.finding.plan?.bytes ?? 2 ** 22;
  while (bytes > 1 && (await attempt(state, { ...state.limits, bytes: Math.floor(bytes / 2) }, fails)))
    bytes = Math.floor(bytes / 2);
}

async function shrinkFeatures(state: State, fails: Fails): Promise<void> {
  for (const feature of FEATURES) {
    const without = state.limits.without ?? [];
    if (without.includes(feature)) continue;
    await attempt(state, { ...state.limits, without: [...without, feature] }, fails);
  }
}

export async function shrink(
  finding: Finding,
  limits: Limits,
  fails: Fails,
): Promise<{ limits: Limits; finding: Finding; runs: number }> {
  const state: State = { limits, finding, runs: 0 };
  for (let before = ''; before !== JSON.stringify(state.limits); ) {
    before = JSON.stringify(state.limits);
    await shrinkList(state, 'transfers', fails);
    await shrinkList(state, 'faults', fails);
    await shrinkHosts(state, fails);
    await shrinkFeatures(state, fails);
    await shrinkBytes(state, fails);
  }
  return state;
}
