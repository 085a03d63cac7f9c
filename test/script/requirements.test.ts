// docs/rfc9293.md holds every row of RFC 9293's appendix B, and what it names is there.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  DOCUMENT,
  type Requirement,
  readRequirements,
  renderRequirements,
  requirementFaults,
} from '../../tools/script/requirements.js';

/** The column ReqID of the appendix, from its first row to its last; `-` where it is empty. */
const APPENDIX = `
MAY-16 SHLD-27 MAY-15 MUST-60 MUST-61 MAY-17 SHLD-28
MUST-1 REC-1 SHLD-14 SHLD-15 SHLD-16 SHLD-17 MUST-34 MAY-8 MUST-35 MUST-36 SHLD-29 SHLD-30 MUST-37 MAY-7 MUST-66
MUST-30 MUST-62 MUST-31 MUST-32 MUST-33 SHLD-13
MUST-4 MUST-5 MUST-6 MUST-68 MUST-7 MUST-64 MUST-14 SHLD-5 SHLD-5 MAY-3 MUST-15 MUST-15 MUST-16 SHLD-6 MUST-65 MUST-67 MUST-69
MUST-2 MUST-3
MUST-8 SHLD-1 MUST-9
MUST-10 MUST-11 MUST-41 MUST-42 MUST-44 MUST-45 MUST-46 MUST-57
SHLD-2 MUST-12 MAY-1 SHLD-3 MUST-13 MAY-2 SHLD-4
MUST-19 MAY-4 MUST-18
MUST-58 SHLD-31 MUST-59 MAY-13 SHLD-18 MUST-40 SHLD-19 MUST-39
MUST-49 MUST-38 SHLD-7 MUST-17
MUST-20 MUST-20 MUST-21 SHLD-9 SHLD-10 SHLD-11 MUST-22 MUST-23
MAY-5 MUST-24 MUST-25 MUST-26 MUST-27 MUST-28 MUST-29 SHLD-12 MAY-6
MUST-50 MAY-10 MAY-11 - MUST-51 MUST-52 MUST-53 SHLD-24
MUST-54 SHLD-25 MUST-56 SHLD-26 MUST-55 MUST-56 MUST-56
MUST-46 MUST-63 MUST-57
MUST-47 SHLD-20 MUST-48 SHLD-22 SHLD-21 SHLD-23 MAY-9 MAY-14 MUST-43
MAY-12
SHLD-8
MAY-18
`;

const rows = readRequirements();

function ids(some: readonly Requirement[]): string[] {
  return some.map(({ id }) => id || '-');
}

test('every row of the appendix has its row, in the same order', () => {
  assert.equal(ids(rows), APPENDIX.trim().split(/\s+/));
});

test('the document is what the generator makes of the rows', () => {
  assert.is(readFileSync(DOCUMENT, 'utf8'), renderRequirements(rows));
});

test('every script and test that is named exists, and what nothing shows has its reason', () => {
  assert.equal(requirementFaults(rows), []);
});

test('every MUST and MUST NOT names a script or a test, also where it is not met', () => {
  const silent = rows.filter(({ level, shown }) => level.startsWith('MUST') && shown.length === 0);
  assert.equal(ids(silent), []);
});

test('a script or test that does not exist, and a row without anything, are found', () => {
  const [first] = rows;
  assert.ok(first);
  const faults = (change: Partial<Requirement>) => requirementFaults([{ ...first, ...change }]).join();
  assert.match(
    faults({ shown: ['rfc9293-3.1-header/nothing'] }),
    /there is no test\/script\/rfc9293-3\.1-header\/nothing\.pkt/,
  );
  assert.match(faults({ shown: ['test/native/tcp_test.cc: no such test'] }), /tcp_test\.cc has no test "no such test"/);
  assert.match(faults({ shown: [] }), /MAY-16 .* no reason is given/);
});

test.run();
