import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import {
  type Answer,
  QUESTION,
  type Surroundings,
  findCandidates,
  findFault,
  parseAnswer,
} from '../../src/interpreters';

const around = (more: Partial<Surroundings> = {}): Surroundings => ({
  interpreter: '',
  strategy: 'useBundled',
  trusted: true,
  folders: ['/project'],
  active: [],
  venvs: ['/project/.venv/bin/python'],
  ...more,
});
const pythons = (given: Surroundings) => findCandidates(given).map((one) => one.python);

test('the interpreter that is set is the only one', () => {
  assert.deepEqual(findCandidates(around({ interpreter: '/my/python', active: ['/other'] })), [
    { python: '/my/python', source: 'goalproof.interpreter', named: true },
  ]);
});

test('the Python extension is asked before PATH', () => {
  assert.deepEqual(pythons(around({ active: ['/env/bin/python'] })).slice(0, 2), [
    '/env/bin/python',
    'python3',
  ]);
});

test('the workspace’s own environment counts only where the server comes from it', () => {
  assert.ok(!pythons(around()).includes('/project/.venv/bin/python'));
  const own = pythons(around({ strategy: 'fromEnvironment', active: ['/env/python'] }));
  assert.deepEqual(own.slice(0, 3), ['/env/python', '/project/.venv/bin/python', 'python3']);
});

test('nothing inside an untrusted workspace is asked', () => {
  const given = around({
    trusted: false,
    strategy: 'fromEnvironment',
    active: ['/project/env/bin/python', '/work-too/python'],
  });
  const found = pythons(given);
  assert.ok(!found.some((python) => python.startsWith('/project/')));
  assert.ok(found.includes('/work-too/python'));
});

test('no interpreter is asked twice', () => {
  const found = pythons(around({ active: ['/env/python', '/env/python', 'python3'] }));
  assert.equal(found.length, new Set(found).size);
});

const answer = (more: Partial<Answer> = {}): Answer => ({
  executable: '/usr/bin/python3',
  version: [3, 12, 1],
  tag: 'cp312',
  goalproof: null,
  ...more,
});

test('a Python that is too old is refused with its version and what is needed', () => {
  const fault = findFault(answer({ version: [3, 9, 2], tag: 'cp39' }), 'useBundled', ['cp39']);
  assert.match(fault ?? '', /Python 3\.9\.2; 3\.11 or later/);
});

test('a Python that the bundled server has no compiled parts for is refused', () => {
  const bundled = ['cp311', 'cp312'];
  assert.equal(findFault(answer(), 'useBundled', bundled), undefined);
  const newer = answer({ version: [3, 15, 0], tag: 'cp315' });
  assert.match(findFault(newer, 'useBundled', bundled) ?? '', /3\.15\.0; .* for 3\.11, 3\.12/);
});

test('the installed server has to be installed', () => {
  assert.match(findFault(answer(), 'fromEnvironment', []) ?? '', /no goalproof installed/);
  assert.equal(findFault(answer({ goalproof: '0.1.0' }), 'fromEnvironment', []), undefined);
});

test('the question is answered by a real Python', () => {
  const said = execFileSync('python3', ['-I', '-S', '-c', QUESTION], { encoding: 'utf8' });
  const found = parseAnswer(said);
  assert.ok(found && found.version[0] === 3 && found.executable !== '');
});

test('what is no answer is none', () => {
  for (const text of ['', 'hello', '[]', '{"executable": 3}', '{"executable": "x", "tag": "y"}']) {
    assert.equal(parseAnswer(text), undefined, text);
  }
});
