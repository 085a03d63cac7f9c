// Installs missing system packages, as root only. It changes nothing else: no sysctl, no service.
// redis-server's package would start a service on port 6379; a policy-rc.d in front of an existing one forbids that for the
// time of the installation, and the existing one decides about everything else and comes back afterwards.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { installCommand, missingPackages } from './check.mjs';

const POLICY = '/usr/sbin/policy-rc.d';
const MARK = '# written by qstack for the time of an installation';

/** @param {string} before */
function policyScript(before) {
  return `#!/bin/sh
${MARK}
case "$1" in redis-server*) exit 101 ;; esac
if [ -x ${before} ]; then exec ${before} "$@"; fi
exit 0
`;
}

/** @param {string} path */
function present(path) {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** @param {string} policy */
function isOurs(policy) {
  return existsSync(policy) && readFileSync(policy, 'utf8').includes(MARK);
}

/** Puts back what was there; also after an installation that was killed. Touches nothing that is not ours. */
export function restorePolicy(policy = POLICY) {
  const before = `${policy}.before-qstack`;
  if (isOurs(policy)) rmSync(policy);
  if (present(before) && !present(policy)) renameSync(before, policy);
}

/** Stands in front of an existing policy. */
export function guardPolicy(policy = POLICY) {
  const before = `${policy}.before-qstack`;
  restorePolicy(policy);
  if (present(policy)) renameSync(policy, before);
  writeFileSync(policy, policyScript(before), { mode: 0o755 });
}

/** @param {string[]} args */
function aptGet(args) {
  const options = ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0', '-q'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, stdout, stderr } = spawnSync('apt-get', [...options, ...args], {
    encoding: 'utf8',
    env,
    maxBuffer: 2 ** 28,
  });
  return { ok: status === 0, said: `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n') };
}

/** @param {string[]} names */
function installNow(names) {
  const install = ['install', '-y', '--no-install-recommends', ...names];
  const simulated = aptGet(['install', '--simulate', '--no-install-recommends', ...names]);
  if (simulated.ok) {
    const result = aptGet(install);
    if (result.ok) return result;
  }
  // The lists are absent or older than the mirror: only then is an update needed.
  const updated = aptGet(['update']);
  return updated.ok ? aptGet(install) : updated;
}

/** @param {string[]} groups @returns {string[]} the names of what was installed */
export function installMissing(groups) {
  const missing = missingPackages(groups);
  if (missing.length === 0) return [];
  const names = missing.map((item) => item.name);
  const guard = names.includes('redis-server');
  const stop = () => {
    restorePolicy();
    process.exit(130);
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  if (guard) guardPolicy();
  try {
    const { ok, said } = installNow(names);
    if (!ok) throw new Error(`apt-get failed:\n${said}\nThe command was:\n  ${installCommand(missing)}`);
  } finally {
    if (guard) restorePolicy();
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
  }
  const still = missingPackages(groups);
  if (still.length > 0)
    throw new Error(`still missing or too old: ${still.map((item) => `${item.name} ${item.versions}`).join(', ')}`);
  return names;
}
