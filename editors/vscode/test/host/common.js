// What the suites share: waiting on conditions, a person's answers, and the project's plan.

'use strict';

const assert = require('node:assert/strict');
const vscode = require('vscode');

const ID = 'goalproof.goalproof';

const PLAN = `
goal = "Make sums right in calc.py"
kind = "fix"

[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
tests = ["tests.test_calc.CalcTest::test_add"]

[[task]]
id = "fix"
title = "Fix the sum"
writes = ["calc.py"]
worker = "recipe"
steps = [{ replace = "calc.py", old = "a - b", new = "a + b" }]
`;

/** Returns the first truthy answer of `look`, asked again until `ms` have passed. */
async function until(what, look, ms = 30_000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`not in ${ms} ms: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function extension() {
  const found = vscode.extensions.getExtension(ID);
  assert.ok(found, `${ID} is not installed`);
  return found;
}

const root = () => vscode.workspace.workspaceFolders[0].uri;
const file = (name) => vscode.Uri.joinPath(root(), name);
const run = (command, ...args) => vscode.commands.executeCommand(command, ...args);

async function ready() {
  const api = await extension().activate();
  await until('the server is ready', () => api.state() === 'ready', 60_000);
  return api;
}

/**
 * Answers the editor's questions while `work` runs: `answers` maps a function of `vscode.window` to
 * what a person would choose.  Returns what `work` returned and what was asked.
 */
async function withPerson(answers, work) {
  const asked = [];
  const names = [
    'showQuickPick',
    'showInputBox',
    'showInformationMessage',
    'showWarningMessage',
    'showErrorMessage',
    'showOpenDialog',
  ];
  const real = Object.fromEntries(names.map((name) => [name, vscode.window[name]]));
  for (const name of names) {
    vscode.window[name] = async (...args) => {
      asked.push({ name, args });
      const answer = answers[name];
      return typeof answer === 'function' ? answer(...args) : answer;
    };
  }
  try {
    return { result: await work(asked), asked };
  } finally {
    Object.assign(vscode.window, real);
  }
}

/** Approves the gates that the project asks for. */
const approves = { showWarningMessage: (_message, _options, button) => button };

/** Runs the project's plan, lets it end and returns its goal. */
async function aReadyGoal() {
  const place = { root: root().toString() };
  const plan = await vscode.workspace.openTextDocument({ language: 'toml', content: PLAN });
  const { result } = await withPerson(approves, () => run('goalproof.runPlan', plan.uri));
  assert.ok(result, 'the plan was not started');
  return until(
    'the goal is ready',
    async () => {
      const view = await run('goal.list', place).then((list) => {
        const line = list.goals.find((goal) => goal.id === result.id);
        assert.ok(!['not_ready', 'failed_infra', 'cancelled'].includes(line.status), line.blocker);
        return line.status === 'ready' ? line : undefined;
      });
      return view && { root: place.root, goal: view.id };
    },
    90_000,
  );
}

module.exports = {
  ID,
  PLAN,
  approves,
  aReadyGoal,
  extension,
  file,
  ready,
  root,
  run,
  until,
  withPerson,
};
