'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const vscode = require('vscode');
const { approves, ready, root, run, until, withPerson } = require('./common');

const place = () => ({ root: root().toString() });
const show = (at) => run('goal.show', at).then(() => run('goal.list', place()));

let at;

module.exports = {
  'a goal that a person works on waits in a folder of its own': async () => {
    const { tree } = await ready();
    const given = {
      ...place(),
      text: 'Make sums right in calc.py',
      worker: 'manual',
      mode: 'run',
      yes: true,
    };
    const { result } = await withPerson(approves, () => run('goalproof.newGoal', given));
    assert.ok(result, 'the goal was not started');
    at = { ...place(), goal: result.id };
    const task = await until('a task that waits', async () => {
      const goal = (await tree.getChildren()).find((node) => node.target?.goal === at.goal);
      const groups = goal ? await tree.getChildren(goal) : [];
      return groups
        .flatMap((node) => node.children ?? [])
        .find((node) => /taskSubmit/.test(node.context));
    });
    assert.equal(task.description, 'waits for you');
  },

  'its folder is opened, changed and handed in': async () => {
    await withPerson({ showQuickPick: (ways) => ways.find((one) => one.way === 'copy') }, () =>
      run('goalproof.openTaskFolder', at),
    );
    const folder = await vscode.env.clipboard.readText();
    const file = path.join(folder, 'calc.py');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('a - b', 'a + b'));
    const { result, asked } = await withPerson({}, () => run('goalproof.submit', at));
    assert.ok(result, JSON.stringify(asked));
    await until(
      'the goal was judged',
      async () => {
        const line = (await show(at)).goals.find((one) => one.id === at.goal);
        return line.status !== 'running' && line;
      },
      60_000,
    );
  },

  'what only a person can judge is accepted with a reason': async () => {
    const line = async () => (await show(at)).goals.find((one) => one.id === at.goal);
    if ((await line()).status === 'ready') {
      return;
    }
    const { result, asked } = await withPerson({ showInputBox: 'I added two numbers' }, () =>
      run('goalproof.accept', at),
    );
    assert.ok(result, JSON.stringify(asked));
    assert.match(
      asked.find((one) => one.name === 'showInputBox').args[0].prompt,
      /stands in the proof/,
    );
    await until('the goal is ready', async () => (await line()).status === 'ready', 60_000);
  },
};
