import assert from 'node:assert/strict';
import test from 'node:test';
import { GoalBook } from '../../src/book';
import { findActions } from '../../src/possible';
import { GOAL, ROOT, goal, line, list, progress } from './builders';

function aBook(): GoalBook {
  const book = new GoalBook();
  book.setList(ROOT, list(line()));
  return book;
}

test('a change of status is a move, and told once', () => {
  const book = aBook();
  const move = book.see(progress({ rev: 2, status: 'ready' }));
  assert.deepEqual(move && [move.from, move.to, move.root], ['running', 'ready', ROOT]);
  assert.equal(book.see(progress({ rev: 3, status: 'ready' })), undefined);
});

test('older news than what is known changes nothing', () => {
  const book = aBook();
  book.see(progress({ rev: 5, status: 'ready' }));
  assert.equal(book.see(progress({ rev: 4, status: 'running' })), undefined);
  assert.equal(book.find(GOAL)?.line.status, 'ready');
});

test('progress makes a view that was read before out of date', () => {
  const book = aBook();
  book.setView(ROOT, goal({ status: 'running' }));
  assert.ok(book.find(GOAL)?.view);
  book.see(progress({ rev: 2 }));
  assert.equal(book.find(GOAL)?.view, undefined);
});

test('a new goal stands before the older ones', () => {
  const book = aBook();
  book.setView(ROOT, goal({ id: 'goal-new' }));
  assert.deepEqual(
    book.list(ROOT).map((entry) => entry.line.id),
    ['goal-new', GOAL],
  );
});

test('a list forgets goals that are gone and keeps views that still hold', () => {
  const book = aBook();
  book.setView(ROOT, goal({ status: 'ready' }));
  book.setList(ROOT, list(line({ status: 'ready' })));
  assert.ok(book.find(GOAL)?.view);
  book.setList(ROOT, list());
  assert.equal(book.find(GOAL), undefined);
});

test('folders do not see each other’s goals, and one that is closed is forgotten', () => {
  const book = aBook();
  book.setFault('file:///other', 'no repository');
  assert.equal(book.list('file:///other').length, 0);
  assert.equal(book.findFault('file:///other'), 'no repository');
  book.keep(['file:///other']);
  assert.equal(book.find(GOAL), undefined);
});

test('a goal that is made and done before its folder is known is told of once', () => {
  const book = new GoalBook();
  assert.equal(book.see(progress({ rev: 1 })), undefined);
  assert.equal(book.see(progress({ rev: 2, status: 'ready' })), undefined);
  const moves = book.setList(ROOT, list(line({ status: 'ready' })));
  assert.deepEqual(
    moves.map((move) => [move.from, move.to]),
    [['planned', 'ready']],
  );
  assert.equal(book.setView(ROOT, goal({ status: 'ready' })), undefined);
});

test('goals that were there before are no news', () => {
  const book = new GoalBook();
  assert.deepEqual(book.setList(ROOT, list(line({ status: 'ready' }))), []);
});

test('a goal that another process ended is news once the list tells it', () => {
  const moves = aBook().setList(ROOT, list(line({ status: 'not_ready' })));
  assert.deepEqual(
    moves.map((move) => [move.from, move.to]),
    [['running', 'not_ready']],
  );
});

test('an answer that progress has overtaken is known to be old', () => {
  const book = aBook();
  book.see(progress({ rev: 2, status: 'ready' }));
  assert.ok(book.isNewer(GOAL, 'running') && !book.isNewer(GOAL, 'ready'));
});

test('a goal that begins to wait for a person while it runs is told of once', () => {
  const book = aBook();
  const waits = { status: 'running', blocker: 'waiting for you' } as const;
  assert.equal(book.see(progress({ rev: 2, ...waits }))?.blocker, 'waiting for you');
  assert.equal(book.see(progress({ rev: 3, ...waits })), undefined);
  assert.equal(book.see(progress({ rev: 4 })), undefined);
});

test('what agents ask is known from progress alone', () => {
  const book = new GoalBook();
  book.setList(ROOT, list(line({ possible: ['pause'] })));
  book.see(progress({ rev: 2, asks: ['0123456789abcdef'], blocker: 'an agent asks you' }));
  assert.deepEqual(findActions(book.find(GOAL)!.line), ['answer', 'pause', 'cancel']);
  book.see(progress({ rev: 3 }));
  assert.deepEqual(findActions(book.find(GOAL)!.line), ['pause', 'cancel']);
});
