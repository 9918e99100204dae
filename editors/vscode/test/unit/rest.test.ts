import assert from 'node:assert/strict';
import test from 'node:test';
import { Crashes } from '../../src/crashes';
import { composeGoal, suggestGoal } from '../../src/goalText';
import { findLimits } from '../../src/limits';
import { LogFeed } from '../../src/logFeed';
import { Follow, LogText } from '../../src/logText';
import { findNotice } from '../../src/notices';
import { plainLabel, plainLine, plainText, showArgv } from '../../src/plain';
import { POSSIBLE, findContext } from '../../src/possible';
import { describeGate, isCancelled, readRefusal } from '../../src/refusal';
import { showDuration } from '../../src/spend';
import { findMismatch } from '../../src/version';
import { goal, line, spend } from './builders';

const MINUTE = 60_000;

test('a server is started again four times in three minutes, and no more', () => {
  const crashes = new Crashes();
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((at) => crashes.record(at * 1000)),
    [true, true, true, true, false],
  );
});

test('ends that are long ago are forgiven', () => {
  const crashes = new Crashes();
  const said = [0, 1, 2, 3, 4, 5, 6, 7].map((at) => crashes.record(at * MINUTE));
  assert.ok(said.every((again) => again));
});

test('versions fit when what comes before the patch is the same', () => {
  assert.equal(findMismatch('0.1.0', '0.1.7'), undefined);
  assert.equal(findMismatch('1.2.0', '1.9.0'), undefined);
  assert.match(findMismatch('0.1.0', '0.2.0') ?? '', /0\.1\.0 and the server is 0\.2\.0/);
  assert.match(findMismatch('0.1.0', undefined) ?? '', /does not say which version/);
});

const view = (text: string, offset: number, live: boolean, name = 'fix') => ({
  goal: 'g',
  name,
  text,
  offset,
  live,
  task: null,
  gate: null,
  running: live,
});

test('a log is read on from where it was read to', () => {
  const feed = new LogFeed();
  assert.equal(feed.take(view('one\n', 4, true)).text, '── fix ──\none\n');
  assert.equal(feed.offset, 4);
  assert.deepEqual(feed.take(view('two\n', 8, false)), {
    text: 'two\n',
    again: false,
    live: false,
  });
});

test('a log of another task is read from its beginning', () => {
  const feed = new LogFeed();
  feed.take(view('one\n', 4, true));
  assert.deepEqual(feed.take(view('part', 8, true, 'test')), { text: '', again: true, live: true });
  assert.equal(feed.offset, 0);
  assert.equal(feed.take(view('a part', 6, true, 'test')).text, '── test ──\na part');
});

test('of a long log the end is kept, in whole lines, and the first line says so', () => {
  const text = new LogText('`goalproof log g`');
  for (let line = 0; line < 20_000; line += 1) {
    text.append(`line ${line}\n`);
  }
  const [said, first] = text.toString().split('\n');
  assert.match(said ?? '', /^── the first \d+ kB are left out here; `goalproof log g` has all ──$/);
  assert.match(first ?? '', /^line \d+$/);
  assert.ok(text.toString().endsWith('line 19999\n'));
  assert.ok(text.toString().length < 100_000);
});

test('a log without lines is cut as well', () => {
  const text = new LogText('all');
  text.append('x'.repeat(1_000_000));
  assert.ok(text.toString().length < 100_000);
});

test('a short log is shown as it is, and what is said of it has a line of its own', () => {
  const text = new LogText('all');
  text.append('half a line');
  text.appendLine('── end ──');
  assert.equal(text.toString(), 'half a line\n── end ──\n');
});

test('a view goes with the end until somebody scrolls up, and again at the end', () => {
  const follow = new Follow();
  follow.see(0, 20, 20);
  follow.grow();
  follow.see(0, 20, 60);
  assert.ok(follow.on, 'lines that are added are no scrolling');
  follow.see(40, 60, 60);
  follow.see(30, 50, 60);
  assert.ok(!follow.on);
  follow.grow();
  follow.see(35, 55, 90);
  assert.ok(!follow.on, 'down, but not to the end');
  follow.see(69, 89, 90);
  assert.ok(follow.on);
});

const move = (to: 'ready' | 'blocked_on_human' | 'paused', from = 'running') => ({
  root: '',
  goal: 'g',
  text: 'Make it so',
  from,
  to,
  blocker: '',
});

test('a goal that is done is told of unless only what needs a person is wanted', () => {
  assert.match(findNotice(move('ready'), 'always')?.message ?? '', /“Make it so” is ready/);
  assert.equal(findNotice(move('ready'), 'onNeeded'), undefined);
  assert.equal(findNotice(move('blocked_on_human'), 'onNeeded')?.level, 'warning');
  assert.equal(findNotice(move('blocked_on_human'), 'off'), undefined);
});

test('a running goal is told of only where it waits for a person', () => {
  const running = { ...move('ready'), to: 'running' };
  assert.equal(findNotice({ ...running, from: 'planned' }, 'always'), undefined);
  const waits = findNotice({ ...running, blocker: 'waiting for you' }, 'onNeeded');
  assert.deepEqual(waits?.buttons[0], ['Open Folder', 'openTaskFolder']);
});

test('what a person did is not told to them', () => {
  assert.equal(findNotice(move('paused'), 'always'), undefined);
  assert.equal(findNotice(move('ready', 'blocked_on_human'), 'always'), undefined);
});

test('a limit that is used up is asked for, and must grow', () => {
  const budget = { ...goal().budget, wallSeconds: 60, usd: '1', attempts: 9 };
  const limits = findLimits(goal({ budget, spend: spend({ wallMs: 61_000, usd: null }) }));
  assert.deepEqual(
    limits.map((limit) => limit.key),
    ['wallSeconds', 'usd'],
  );
  assert.match(limits[1]?.prompt ?? '', /unknown/);
  assert.ok(limits[0]?.check('60') && limits[0].check('x') && !limits[0].check('120'));
  assert.equal(limits[1]?.check('1.5'), undefined);
});

test('a refusal is read from whatever was thrown', () => {
  const gates = [{ name: 'tests', command: 'true', reason: '', digest: 'd' }, { name: 3 }];
  const error = Object.assign(new Error('short'), {
    data: { class: 'GatesNotApproved', message: 'long', gates },
  });
  assert.deepEqual(readRefusal(error), {
    kind: 'GatesNotApproved',
    message: 'long',
    gates: [gates[0]],
  });
  assert.equal(readRefusal('odd').message, 'odd');
  assert.equal(readRefusal(undefined).kind, '');
});

test('what was cancelled is no fault', () => {
  assert.ok(isCancelled(Object.assign(new Error('Canceled'), { name: 'Canceled' })));
  assert.ok(isCancelled(Object.assign(new Error('cancelled'), { code: -32800 })));
  assert.ok(!isCancelled(new Error('refused')) && !isCancelled(undefined));
});

test('who approves a gate sees all that it runs', () => {
  const command = `true ${'x'.repeat(400)} (in sub; sets PATH; fixed by sh -c 'rm -r .')`;
  const gate = { name: 'tests', command, reason: 'it is configured', digest: 'd' };
  assert.equal(describeGate(gate), `tests: ${command}\nit is configured`);
});

test('control, bidi and invisible characters go, letters of every script stay', () => {
  assert.equal(plainLine('a\u001b[0m\u202eb\u200bc\n ü 漢'), 'a[0mbc ü 漢');
  assert.equal(plainText('one\r\ntwo\u0007\tthree'), 'one\ntwo\tthree');
  assert.equal(plainLine('x'.repeat(300)).length, 200);
  assert.ok(!plainLabel('$(zap)').includes('$('));
});

test('an argument list is shown as a shell would take it', () => {
  assert.equal(
    showArgv(['python3', '-c', "print('x; rm')"]),
    `python3 -c 'print('\\''x; rm'\\'')'`,
  );
});

test('a goal that begins at a place names it', () => {
  const place = { path: 'src/a.py', firstLine: 2, lastLine: 8 };
  assert.equal(composeGoal('Fix it ', place), 'Fix it (src/a.py, lines 3–9)');
  assert.equal(composeGoal('Fix it', { ...place, lastLine: 2 }), 'Fix it (src/a.py, line 3)');
  assert.equal(suggestGoal('undefined name `x`.'), 'Fix: undefined name `x`');
});

test('durations are short', () => {
  assert.deepEqual([8_200, 200_000, 7_500_000].map(showDuration), ['8s', '3m 20s', '2h 5m']);
});

test('the menus’ keys follow the goals', () => {
  const keys = findContext([line({ status: 'running' }), line({ status: 'ready' })]);
  assert.deepEqual(keys, {
    hasGoals: true,
    running: true,
    waiting: false,
    asking: false,
    acceptable: false,
    rejectable: true,
    applicable: true,
  });
  assert.ok(Object.values(findContext([])).every((value) => !value));
});

test('nothing more can be asked of a goal that ended for good', () => {
  assert.deepEqual(POSSIBLE.cancelled, []);
});
