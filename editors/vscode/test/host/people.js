'use strict';

const assert = require('node:assert/strict');
const vscode = require('vscode');
const { PLAN, file, ready, root, run, until, withPerson } = require('./common');

const place = () => ({ root: root().toString() });
const listed = async (goal) =>
  (await run('goal.list', place())).goals.find((one) => one.id === goal);

module.exports = {
  'a goal from the palette asks for its words, who and when; Escape starts nothing': async () => {
    await ready();
    const before = (await run('goal.list', place())).goals.length;
    const { asked } = await withPerson({ showInputBox: 'Make sums right' }, () =>
      run('goalproof.newGoal'),
    );
    assert.equal(asked[0].name, 'showInputBox');
    assert.ok(asked.some((one) => one.name === 'showQuickPick'));
    assert.equal((await run('goal.list', place())).goals.length, before);
  },

  'a selection becomes part of the words of its goal': async () => {
    const editor = await vscode.window.showTextDocument(file('calc.py'));
    editor.selection = new vscode.Selection(1, 0, 2, 16);
    let title;
    await withPerson(
      {
        showInputBox: 'Make this right',
        showQuickPick: (items) => items.find((item) => item.hands) ?? undefined,
      },
      async (asked) => {
        await run('goalproof.newGoalFromSelection');
        title = asked[0].args[0].title;
      },
    );
    assert.equal(title, 'New goal');
  },

  'a goal that is planned first starts nothing, and cancelling it asks': async () => {
    const plan = await vscode.workspace.openTextDocument({ language: 'toml', content: PLAN });
    const view = await run('goal.plan', { ...place(), planText: plan.getText() });
    assert.equal(view.status, 'planned');
    const at = { ...place(), goal: view.id };
    const kept = await withPerson({}, () => run('goalproof.cancel', at));
    assert.match(kept.asked[0].args[0], /for good\?$/);
    assert.equal((await listed(view.id)).status, 'planned');
    await withPerson({ showWarningMessage: 'Cancel Goal' }, () => run('goalproof.cancel', at));
    assert.equal((await listed(view.id)).status, 'cancelled');
  },

  'the plan of a goal opens as a file that runs it': async () => {
    const view = await run('goal.plan', { ...place(), planText: PLAN });
    await run('goalproof.editPlan', { ...place(), goal: view.id });
    const path = vscode.window.activeTextEditor.document.uri.path;
    assert.match(path, new RegExp(`/\\.goalproof/goals/${view.id}/plan\\.toml$`));
    await withPerson({ showWarningMessage: (_m, _o, button) => button }, () =>
      run('goalproof.runPlan'),
    );
    await until(
      'the plan ran to ready',
      async () => (await listed(view.id)).status === 'ready',
      90_000,
    );
  },

  'what is refused is told in a sentence': async () => {
    const { asked } = await withPerson({}, () =>
      run('goalproof.showDiff', { ...place(), goal: 'goal-none' }),
    );
    const told = asked.find((one) => one.name === 'showErrorMessage');
    assert.ok(told, JSON.stringify(asked));
    assert.doesNotMatch(told.args[0], /Traceback|undefined/);
  },

  'the status bar’s menu offers what is possible now': async () => {
    const labels = await until('a menu with Apply', async () => {
      const { asked } = await withPerson({}, () => run('goalproof.statusMenu'));
      const found = asked[0].args[0].map((item) => item.label);
      return found.some((label) => /Apply/.test(label)) && found;
    });
    assert.ok(labels.some((label) => /New goal/.test(label)));
  },
};
