// System packages: the check of versions, and the guard that keeps a package from starting a service.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { inRange, installCommand, installedVersions, manifest } from '../../deps/check.mjs';
import { guardPolicy, restorePolicy } from '../../deps/install.mjs';

const deps = suite('deps');
let dir = '';
let policy = '';
deps.before.each(() => {
  dir = mkdtempSync(join(tmpdir(), 'qstack-deps-'));
  policy = join(dir, 'policy-rc.d');
});
deps.after.each(() => rmSync(dir, { recursive: true }));

const ask = (service: string) => spawnSync(policy, [service, 'start']).status;

deps('every package of the manifest says what it is for and which versions will do', () => {
  for (const item of manifest()) {
    assert.ok(item.why.length > 10, item.name);
    assert.type(inRange('99:99', item.versions), 'boolean', item.name);
    assert.ok(['run', 'build', 'test'].includes(item.group), item.name);
  }
});

deps("versions are compared in dpkg's order", () => {
  assert.ok(inRange('22.11.11-0+deb12u1', '>= 22.11'));
  assert.not(inRange('22.9', '>= 22.11'));
  assert.ok(inRange('5:7.0.15', '>= 5:6'));
  assert.not(inRange('24.11', '>= 22.11, < 24'));
});

deps('a package that is not installed is not found', () => {
  assert.equal([...installedVersions(['qstack-has-no-such-package', 'dpkg']).keys()], ['dpkg']);
});

deps('one command installs everything that is missing', () => {
  const missing = manifest().map((item) => ({ ...item, found: undefined }));
  assert.match(
    installCommand(missing),
    /^apt-get update && apt-get install -y --no-install-recommends dpdk redis-server /,
  );
});

deps('while packages are installed redis-server may not start, and other services may', () => {
  guardPolicy(policy);
  assert.is(ask('redis-server'), 101);
  assert.is(ask('cron'), 0);
  restorePolicy(policy);
  assert.not(existsSync(policy));
});

deps('an existing policy still decides about other services, and comes back unchanged', () => {
  const text = '#!/bin/sh\n[ "$1" = cron ] && exit 104\nexit 0\n';
  writeFileSync(policy, text);
  chmodSync(policy, 0o755);
  guardPolicy(policy);
  guardPolicy(policy);
  assert.is(ask('redis-server'), 101);
  assert.is(ask('cron'), 104);
  restorePolicy(policy);
  assert.is(readFileSync(policy, 'utf8'), text);
  assert.is(ask('redis-server'), 0);
});

deps('a policy that someone else wrote meanwhile is left alone', () => {
  writeFileSync(policy, '#!/bin/sh\nexit 0\n');
  restorePolicy(policy);
  assert.ok(existsSync(policy));
});

deps.run();
