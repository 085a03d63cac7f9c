// The check of the system packages in packages.json.
// Out: what is missing or too old, with the reason why it is needed, and the one command that installs it; exit 2 then.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @typedef {{ name: string, versions: string, group: 'run' | 'build' | 'test', why: string }} Package */
/** @typedef {Package & { found: string | undefined }} Missing */

/** @returns {Package[]} */
export function manifest() {
  // The second place is for the compiled copy of this file, dist/deps/check.mjs.
  const places = ['packages.json', '../../deps/packages.json'].map((path) => new URL(path, import.meta.url));
  const place = places.find((url) => existsSync(url));
  if (place === undefined) throw new Error('deps/packages.json is not here');
  return JSON.parse(readFileSync(place, 'utf8')).packages;
}

/** Versions of the installed ones among `names`. @param {string[]} names @returns {Map<string, string>} */
export function installedVersions(names) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = '${db:Status-Status} ${Package} ${Version}\n';
  const { stdout, error } = spawnSync('dpkg-query', ['-W', '-f', format, ...names], { encoding: 'utf8' });
  if (error) throw new Error('dpkg-query is not here: qstack is set up on Debian and its relatives only');
  const lines = stdout.split('\n').map((line) => line.split(' '));
  return new Map(
    lines.filter(([status]) => status === 'installed').map(([, name = '', version = '']) => [name, version]),
  );
}

/** `>= 1.2`, with dpkg's order of versions. @param {string} version @param {string} range */
export function inRange(version, range) {
  const clauses = range.split(',').map((clause) => clause.trim().split(/\s+/));
  return clauses.every(([operator = '', bound = '']) => {
    const words = /** @type {Record<string, string>} */ ({ '>=': 'ge', '>': 'gt', '<': 'lt', '<=': 'le', '=': 'eq' });
    const word = words[operator];
    if (word === undefined) throw new Error(`packages.json: "${range}" is no range of versions`);
    return spawnSync('dpkg', ['--compare-versions', version, word, bound]).status === 0;
  });
}

/** @param {string[]} groups @returns {Missing[]} */
export function missingPackages(groups) {
  const wanted = manifest().filter((item) => groups.includes(item.group));
  const installed = installedVersions(wanted.map((item) => item.name));
  return wanted
    .map((item) => ({ ...item, found: installed.get(item.name) }))
    .filter((item) => item.found === undefined || !inRange(item.found, item.versions));
}

/** @param {Missing[]} missing */
export function installCommand(missing) {
  return `apt-get update && apt-get install -y --no-install-recommends ${missing.map((item) => item.name).join(' ')}`;
}

/** @param {Missing[]} missing @returns {string[]} */
export function describe(missing) {
  return missing.map(
    ({ name, versions, found, why }) => `  ${name} ${versions}${found ? ` (found ${found})` : ''}: ${why}`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const missing = missingPackages(['run', 'build', 'test']);
  if (missing.length === 0) console.log('system packages: all there');
  else {
    console.log(
      ['system packages that are missing:', ...describe(missing), 'as root:', `  ${installCommand(missing)}`].join(
        '\n',
      ),
    );
    process.exitCode = 2;
  }
}
