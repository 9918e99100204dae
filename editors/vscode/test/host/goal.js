'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const vscode = require('vscode');
const { aReadyGoal, approves, file, ready, run, until, withPerson } = require('./common');

let at;
const read = (name) => fs.readFileSync(file(name).fsPath, 'utf8');
const tabs = () => vscode.window.tabGroups.all.flatMap((group) => group.tabs);

module.exports = {
  'a plan runs to ready after its gates were approved, and the checkout is as it was': async () => {
    await ready();
    at = await aReadyGoal();
    assert.match(read('calc.py'), /a - b/);
  },

  'the tree shows the goal with its task, its criterion and its gate': async () => {
    const { tree } = await ready();
    const goal = await until('the goal is in the tree', async () =>
      (await tree.getChildren()).find(
        (node) => node.target?.goal === at.goal && node.look.word === 'ready',
      ),
    );
    const item = tree.getTreeItem(goal);
    assert.match(item.contextValue, /^goal ready\b.*\bapply\b/);
    const groups = await tree.getChildren(goal);
    assert.deepEqual(
      groups.map((node) => `${node.label} ${node.description}`),
      ['Tasks 1/1', 'Criteria 1/1', 'Gates 1/1'],
    );
    assert.deepEqual(
      groups.map((node) => node.children[0].label),
      ['Fix the sum', 'Sums are right', 'tests'],
    );
  },

  'a file that the goal changes has lenses with their commands filled in': async () => {
    const uri = file('calc.py');
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
    const lenses = await until('lenses', async () => {
      const found = await run('vscode.executeCodeLensProvider', uri, 20);
      return found?.length ? found : undefined;
    });
    assert.ok(lenses.every((lens) => lens.command?.command.startsWith('goal.')));
    assert.ok(lenses.some((lens) => lens.command.command === 'goal.diff'));
  },

  'the lens opens the change in a diff editor': async () => {
    await run('goal.diff', { ...at, path: 'calc.py' });
    const tab = await until('a diff tab', () =>
      tabs().find((one) => one.input instanceof vscode.TabInputTextDiff),
    );
    const [base, head] = await Promise.all(
      [tab.input.original, tab.input.modified].map((uri) => vscode.workspace.openTextDocument(uri)),
    );
    assert.match(base.getText(), /a - b/);
    assert.match(head.getText(), /a \+ b/);
    assert.equal(head.languageId, 'python');
  },

  'the diff of the task is the change of the task': async () => {
    await run('goalproof.showTaskDiff', { ...at, task: 'fix' });
    await until('a diff tab of the task', () =>
      tabs().find(
        (one) =>
          one.input instanceof vscode.TabInputTextDiff &&
          one.input.modified.query.includes('"task":"fix"'),
      ),
    );
  },

  'the goal, its proof, its diagnosis and its review are pages without command links': async () => {
    for (const [command, page] of [
      ['goalproof.showGoal', 'goal'],
      ['goalproof.openProof', 'proof'],
      ['goalproof.diagnose', 'diagnosis'],
      ['goalproof.review', 'review'],
    ]) {
      await run(command, at);
      const document = await until(`the ${page} page`, () =>
        vscode.workspace.textDocuments.find(
          (one) => one.uri.scheme === 'goalproof' && one.uri.query.includes(`"page":"${page}"`),
        ),
      );
      assert.match(document.getText(), /Sums are right|Make sums right/);
      assert.doesNotMatch(document.getText(), /\]\(command:/);
    }
  },

  'applying asks first, and shows the diff when that is wanted': async () => {
    const { asked } = await withPerson(
      {
        showInformationMessage: (_message, options) =>
          options?.modal ? 'Show Diff First' : undefined,
      },
      () => run('goalproof.apply', at),
    );
    assert.match(asked[0].args[0], /^Apply “Make sums right/);
    assert.match(read('calc.py'), /a - b/);
  },

  'applying changes the open file and saves it, and undo takes it back out': async () => {
    const document = await vscode.workspace.openTextDocument(file('calc.py'));
    const { asked } = await withPerson(
      { showInformationMessage: (_message, options) => (options?.modal ? 'Apply' : undefined) },
      () => run('goalproof.apply', at),
    );
    assert.match(asked.at(-1).args[0], /Undo takes it back out/, JSON.stringify(asked));
    await until('the buffer has the change', () => document.getText().includes('a + b'));
    await until('the file is saved', () => !document.isDirty && read('calc.py').includes('a + b'));
    const undone = await withPerson({}, () => run('goalproof.undoApply', at));
    assert.match(undone.asked.at(-1).args[0], /out of your files/, JSON.stringify(undone.asked));
    await until('the change is gone', () => document.getText().includes('a - b'));
    await until('that is saved', () => !document.isDirty && read('calc.py').includes('a - b'));
  },

  'the log of the gate is read to its end': async () => {
    await run('goalproof.showLog', { ...at, gate: 'tests' });
    await until('the log and its end', () =>
      vscode.workspace.textDocuments.find(
        (one) => one.uri.scheme === 'goalproof-log' && /tests[^]*── end ──/.test(one.getText()),
      ),
    );
  },

  'the gates run again on the same tree': async () => {
    const { result, asked } = await withPerson(approves, () => run('goalproof.verify', at));
    assert.equal(result?.id, at.goal, JSON.stringify(asked));
    await until('the goal is ready again', async () => {
      const { goals } = await run('goal.list', { root: at.root });
      return goals.find((goal) => goal.id === at.goal).status === 'ready';
    });
  },

  'each hunk is taken away, and the person hears what no gate noticed': async () => {
    const { result, asked } = await until('who judged the goal has let go of it', async () => {
      const told = await withPerson(approves, () => run('goalproof.hunks', at));
      return told.result && told;
    });
    assert.deepEqual(result?.count, { constrained: 1 }, JSON.stringify(asked));
    assert.equal(asked.at(-1).args[0], 'Hunks: 1 constrained.');
  },

  'the proof is run again in a clean checkout and found to hold': async () => {
    const { result, asked } = await withPerson(approves, () => run('goalproof.verifyProof', at));
    assert.equal(result?.outcome, 'REPRODUCED', JSON.stringify(asked));
  },

  'a ready goal is delivered as a branch': async () => {
    const { result, asked } = await withPerson({}, () => run('goalproof.deliver', at));
    assert.match(result?.branch ?? '', /^goal\//, JSON.stringify(asked));
  },
};
