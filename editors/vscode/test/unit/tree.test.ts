import assert from 'node:assert/strict';
import test from 'node:test';
import { makeChildren, makeGoalNode } from '../../src/treeModel';
import { GOAL, ROOT, ask, criterion, gate, goal, line, progress, task } from './builders';

const words = (context: string) => context.split(' ');

test('a goal says how it stands and what can be asked of it', () => {
  const node = makeGoalNode({ root: ROOT, line: line({ status: 'ready' }), view: goal() });
  assert.equal(node.description, 'ready');
  assert.deepEqual(words(node.context), [
    'goal',
    'ready',
    'diff',
    'review',
    'proof',
    'verify',
    'hunks',
    'apply',
    'deliver',
    'reject',
    'execute',
    'cancel',
  ]);
});

test('undo takes the place of apply once a goal is applied', () => {
  const view = goal({ applied: ['c'.repeat(40)], possible: ['apply', 'undo'] });
  const found = words(makeGoalNode({ root: ROOT, line: line({ status: 'ready' }), view }).context);
  assert.ok(found.includes('undo') && !found.includes('apply'));
});

test('a goal that waits is resumed only where the server says that it can be', () => {
  const at = line({ status: 'blocked_on_human' });
  const view = goal({
    status: 'blocked_on_human',
    criteria: [criterion({ state: 'implemented_unverified' })],
    possible: ['accept', 'cancel'],
  });
  const found = words(makeGoalNode({ root: ROOT, line: at, view }).context);
  assert.ok(found.includes('accept') && !found.includes('resume'));
  const possible = ['accept', 'resume', 'cancel'];
  const later = words(makeGoalNode({ root: ROOT, line: at, view: { ...view, possible } }).context);
  assert.ok(later.includes('resume'));
});

test('gates run again, and hunks are tried, only where the server says that they can be', () => {
  const at = line({ status: 'blocked_on_human' });
  const asked = (more: readonly string[], tree: string | null) => {
    const possible = ['diagnose', 'diff', 'cancel', ...more];
    const view = goal({ status: 'blocked_on_human', tree, possible, proof: null });
    return words(makeGoalNode({ root: ROOT, line: at, view }).context).slice(2);
  };
  assert.deepEqual(asked([], null), ['diagnose', 'cancel']);
  const all = ['diagnose', 'diff', 'review', 'verify', 'hunks', 'cancel'];
  assert.deepEqual(asked(['review', 'verify', 'hunks'], 'c'.repeat(40)), all);
});

test('a running goal shows how far it is', () => {
  const node = makeGoalNode({ root: ROOT, line: line(), progress: progress() });
  assert.equal(node.description, 'execution 1/3');
  assert.deepEqual(words(node.context), ['goal', 'running', 'pause', 'cancel']);
});

test('a damaged goal is shown, says why, and nothing can be asked of it', () => {
  const node = makeGoalNode({
    root: ROOT,
    line: line({ text: '', status: 'damaged', damage: 'line 3 does not fit its digest' }),
  });
  assert.match(node.tooltip, /line 3 does not fit/);
  assert.deepEqual(words(node.context), ['goal', 'damaged']);
  assert.notEqual(node.label, '');
});

test('under a goal are its questions first, then tasks, criteria and gates', () => {
  const view = goal({
    status: 'blocked_on_human',
    questions: [{ id: 'q1', text: 'Which server?' }],
    criteria: [criterion({ state: 'implemented_unverified' })],
  });
  const nodes = makeChildren(ROOT, view);
  assert.deepEqual(
    nodes.map((node) => node.kind),
    ['question', 'group', 'group', 'group'],
  );
  assert.deepEqual(nodes[0]?.target?.question, 'q1');
  assert.equal(nodes[2]?.children?.[0]?.context, 'criterion criterionAccept');
});

test('a task of a person waits in its folder and can be handed in', () => {
  const view = goal({
    tasks: [task({ worker: 'manual', status: 'running', folder: '/state/fix', files: [] })],
  });
  const node = makeChildren(ROOT, view)[0]?.children?.[0];
  assert.equal(node?.description, 'waits for you');
  assert.deepEqual(words(node?.context ?? ''), ['task', 'running', 'taskFolder', 'taskSubmit']);
});

test('what an agent asks stands first and is answered by its key', () => {
  const view = goal({ status: 'running', asks: [ask({ text: 'Bash: git \u202e push $(flame)' })] });
  const [first] = makeChildren(ROOT, view);
  assert.equal(first!.context, 'question answer');
  assert.deepEqual(first!.target, { root: ROOT, goal: GOAL, question: ask().key });
  assert.ok(!first!.label.includes('\u202e') && !first!.label.includes('$(flame)'));
});

test('an agent that works and can hear is told something, and no other', () => {
  const context = (worker: string, status: string) => {
    const [tasks] = makeChildren(ROOT, goal({ tasks: [task({ worker, status })] }));
    return tasks!.children![0]!.context;
  };
  assert.match(context('acp', 'running'), /\btaskTell\b/);
  assert.doesNotMatch(context('cli', 'running'), /taskTell/);
  assert.doesNotMatch(context('acp', 'done'), /taskTell/);
});

test('what an agent wrote is one plain line', () => {
  const view = goal({
    tasks: [task({ status: 'failed', files: [], reason: 'bad\u001b[31m $(flame)\n\u202etxt' })],
  });
  const node = makeChildren(ROOT, view)[0]?.children?.[0];
  assert.doesNotMatch(`${node?.description}${node?.tooltip}`, /\u001b|\u202e/);
  assert.ok(!node?.description.includes('$(flame)'));
});

test('a gate shows what it said before and after', () => {
  const nodes = makeChildren(
    ROOT,
    goal({ gates: [gate(), gate({ name: 'lint', required: false })] }),
  );
  assert.deepEqual(
    nodes[2]?.children?.map((node) => node.description),
    ['failed → passed', 'failed → passed (optional)'],
  );
});

test('ids are unique in a tree', () => {
  const ids = makeChildren(ROOT, goal()).flatMap((node) => [
    node.id,
    ...(node.children ?? []).map((child) => child.id),
  ]);
  assert.equal(ids.length, new Set(ids).size);
});
