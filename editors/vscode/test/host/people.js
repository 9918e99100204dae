'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const vscode = require('vscode');
const { PLAN, approves, file, ready, root, run, until, withPerson } = require('./common');

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

  'a running goal is paused, goes on, and its end is a toast with what to do next': async () => {
    const release = path.join(os.tmpdir(), `goalproof-release-${process.pid}`);
    const wait = `import os, time; [time.sleep(0.05) for _ in range(1200) if not os.path.exists(${JSON.stringify(release)})]`;
    const step = `{ run = ["python3", "-c", ${JSON.stringify(wait)}] }, `;
    const plan = await vscode.workspace.openTextDocument({
      language: 'toml',
      content: PLAN.replace('steps = [', `steps = [${step}`),
    });
    const { asked } = await withPerson(approves, async (seen) => {
      const view = await run('goalproof.runPlan', plan.uri);
      const at = { ...place(), goal: view.id };
      await until('the goal runs', async () => (await listed(view.id)).status === 'running');
      assert.equal((await run('goalproof.pause', at)).status, 'paused');
      assert.equal((await run('goalproof.resume', at)).status, 'running');
      fs.writeFileSync(release, '');
      const isDone = (one) => /“Make sums right in calc.py” is ready/.test(one.args[0]);
      await until('a toast', () => seen.some(isDone), 90_000);
    });
    fs.rmSync(release);
    const toast = asked.find((one) => / is ready/.test(one.args[0]));
    assert.deepEqual(toast.args.slice(1), ['Show Diff', 'Apply', 'Show Goal']);
    assert.ok(
      asked.every((one) => !/paused/.test(one.args[0])),
      'a pause is not told to who paused',
    );
  },

  'a goal that is too vague asks, and the answer is taken': async () => {
    const given = { ...place(), text: 'improve', worker: 'manual', mode: 'plan', yes: true };
    const { result } = await withPerson(approves, () => run('goalproof.newGoal', given));
    assert.equal(result.status, 'blocked_on_human');
    assert.ok(result.questions.length > 0);
    const at = { ...place(), goal: result.id };
    const says = { showInputBox: 'Make sums right in calc.py', showQuickPick: ([first]) => first };
    const answered = await withPerson(says, () => run('goalproof.answer', at));
    const input = answered.asked.find((one) => one.name === 'showInputBox');
    assert.equal(input.args[0].prompt, result.questions[0].text);
    assert.ok(
      answered.result.questions.length < result.questions.length,
      JSON.stringify(answered.result.questions),
    );
  },

  'who reviews new goals is a setting': async () => {
    const settings = vscode.workspace.getConfiguration('goalproof');
    const { Workspace } = vscode.ConfigurationTarget;
    await settings.update('reviewer', 'nobody', Workspace);
    const given = { ...place(), text: 'Sums', worker: 'manual', mode: 'plan', yes: true };
    const { asked } = await withPerson(approves, () => run('goalproof.newGoal', given));
    await settings.update('reviewer', undefined, Workspace);
    const told = asked.find((one) => one.name === 'showErrorMessage');
    assert.match(told?.args[0] ?? '', /nobody/);
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
