import assert from 'node:assert/strict';
import test from 'node:test';
import type { Entry } from '../../src/book';
import { findMenu, findStatus } from '../../src/statusText';
import { ROOT, line, progress, spend } from './builders';

const entry = (more: Partial<Entry> = {}): Entry => ({ root: ROOT, line: line(), ...more });
const text = (...entries: Entry[]) => findStatus('ready', 'words', entries).text;

test('an idle server says its name and no more', () => {
  assert.equal(text(), '$(target) Goalproof');
  assert.equal(text(entry({ line: line({ status: 'ready' }) })), '$(target) Goalproof');
});

test('a running goal shows its phase and how far it is', () => {
  assert.equal(text(entry({ progress: progress() })), '$(sync~spin) execution 1/3');
});

test('a cost that nobody measured is unknown and never zero', () => {
  const shown = (usd: string | null, source = 'measured') =>
    text(entry({ progress: progress({ spend: spend({ usd, source }) }) }));
  assert.match(shown(null), /cost unknown/);
  assert.match(shown('0.42'), /\$0\.42/);
  assert.match(shown('0.42', 'estimated'), /about \$0\.42/);
  assert.match(shown('0.001'), /<\$0\.01/);
});

test('several running goals are summed', () => {
  const one = entry({ progress: progress({ done: 1, total: 3 }) });
  const other = entry({ progress: progress({ done: 2, total: 4 }) });
  assert.equal(text(one, other), '$(sync~spin) 2 goals 3/7');
});

test('a goal that waits for a person says so, with the reason in the tooltip', () => {
  const waiting = entry({ line: line({ status: 'blocked_on_human', blocker: 'which server?' }) });
  const found = findStatus('ready', '', [waiting]);
  assert.equal(found.text, '$(question) Goalproof: needs you');
  assert.match(found.tooltip, /which server\?/);
});

test('a server that does not run is an error with its reason', () => {
  const found = findStatus('failed', 'no Python', []);
  assert.deepEqual(found, { text: '$(error) Goalproof', tooltip: 'no Python', severity: 'error' });
});

test('what a goal calls itself draws no icon', () => {
  const named = entry({ line: line({ status: 'ready', text: 'do $(flame) this' }) });
  assert.ok(findMenu('ready', [named]).every((item) => !item.description.includes('$(flame)')));
});

test('the menu begins with what can be done about a running goal', () => {
  const labels = findMenu('ready', [
    entry({ line: line({ status: 'ready' }) }),
    entry({ progress: progress() }),
  ]).map((item) => item.command);
  assert.deepEqual(labels.slice(0, 4), ['pause', 'cancel', 'showLog', 'showGoal']);
  assert.ok(labels.includes('apply') && labels.includes('newGoal'));
});

test('the menu offers to reject a result, and nothing that has none', () => {
  const commands = (status: string, possible: string[]) =>
    findMenu('ready', [entry({ line: line({ status, possible }) })]).map((item) => item.command);
  assert.ok(commands('ready', ['apply', 'reject']).includes('reject'));
  assert.ok(commands('blocked_on_human', ['accept', 'reject']).includes('reject'));
  assert.ok(!commands('blocked_on_human', ['answer']).includes('reject'));
  assert.ok(!commands('paused', ['resume', 'reject']).includes('reject'));
});

test('without a server the menu offers what may bring it back', () => {
  const labels = findMenu('failed', [entry()]).map((item) => item.command);
  assert.deepEqual(labels, ['restart', 'selectInterpreter', 'showOutput']);
});

test('a goal whose task waits for a person does not spin', () => {
  const handed = entry({ line: line({ blocker: 'waiting for you: /state/fix' }) });
  assert.equal(text(handed), '$(person) Goalproof: a task waits for you');
  const commands = findMenu('ready', [handed]).map((item) => item.command);
  assert.deepEqual(commands.slice(0, 2), ['openTaskFolder', 'submit']);
});

test('an agent that asks is answered from the menu', () => {
  const asking = entry({
    line: line({ blocker: 'an agent asks you: Bash: git push', possible: ['answer'] }),
  });
  assert.equal(text(asking), '$(question) Goalproof: an agent asks you');
  const commands = findMenu('ready', [asking]).map((item) => item.command);
  assert.deepEqual(commands.slice(0, 2), ['answer', 'tell']);
});
