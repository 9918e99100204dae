'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const vscode = require('vscode');
const { PLAN, approves, ready, root, run, until, withPerson } = require('./common');

/** Prints a long log, and more when a file is there, and more when another one is. */
const PRINTS = `
import os, sys, time
for at in range(60000): print("begun", at)
sys.stdout.flush()
for name in ("more", "last"):
    for _ in range(1200):
        if os.path.exists(sys.argv[1] + name): break
        time.sleep(0.05)
    for at in range(300): print(name, at)
    sys.stdout.flush()
time.sleep(600)
`;

module.exports = {
  'a long log shows its end, goes with it, and stays where a person scrolls up to': async () => {
    await ready();
    const place = path.join(os.tmpdir(), `goalproof-log-${process.pid}-`);
    const argv = ['python3', '-c', PRINTS, place];
    const step = `{ run = ${JSON.stringify(argv)} }, `;
    const plan = await vscode.workspace.openTextDocument({
      language: 'toml',
      content: PLAN.replace('steps = [', `steps = [${step}`),
    });
    const { result } = await withPerson(approves, () => run('goalproof.runPlan', plan.uri));
    const at = { root: root().toString(), goal: result.id };
    const log = { ...at, task: 'fix' };
    await run('goalproof.showLog', log); // before anything is printed, most likely
    const editor = vscode.window.activeTextEditor;
    const text = () => editor.document.getText();
    await until('the task has printed', () => text().includes('begun 59999'), 90_000);
    const seen = () => editor.visibleRanges[0];
    const atEnd = () => seen().end.line >= editor.document.lineCount - 2;
    assert.equal(editor.document.languageId, 'log');
    assert.match(text(), /^── the first \d+ kB are left out here; /);
    assert.ok(text().length < 100_000);
    await until('the end is seen', atEnd);

    const top = new vscode.Range(0, 0, 0, 0);
    editor.revealRange(top, vscode.TextEditorRevealType.AtTop);
    await until('the beginning is seen', () => seen().start.line === 0);
    fs.writeFileSync(`${place}more`, '');
    await until('there is more', () => text().includes('more 299'));
    await run('workbench.action.focusActiveEditorGroup'); // what was asked of the window before is done
    assert.equal(seen().start.line, 0);

    const end = editor.document.lineAt(editor.document.lineCount - 1).range;
    editor.revealRange(end);
    await until('the end is seen again', atEnd);
    fs.writeFileSync(`${place}last`, '');
    await until('the end that came last is seen', () => text().includes('last 299') && atEnd());

    await withPerson({ showWarningMessage: 'Cancel Goal' }, () => run('goalproof.cancel', log));
    await until('the log has ended', () => text().endsWith('── end ──\n'));
    ['more', 'last'].forEach((name) => fs.rmSync(`${place}${name}`));
  },
};
