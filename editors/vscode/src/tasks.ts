// Manual tasks: their folder is opened, and what is in it is handed in.

import type { GoalView, TaskView } from './protocol';
import * as vscode from 'vscode';
import type { Context } from './context';
import { type Given, pickGoal, pickTask } from './pick';
import { plainLine } from './plain';

import { callGoal } from './work';

const NOTHING = 'No task of this goal waits for you.';

/** Opens the folder of a manual task in a window of its own, or in a terminal. */
export async function openTaskFolder(context: Context, given: Given): Promise<void> {
  const at = await pickGoal(context, given, hasFolders, 'A task of which goal?');
  const task = at && (await pickTask(context, given, at, (one) => Boolean(one.folder), NOTHING));
  if (!at || !task) {
    return;
  }
  const place = await context.client.request('open', { ...at, what: 'task', task });
  const ways = [
    { label: '$(multiple-windows) Open in a new window', way: 'window' },
    { label: '$(terminal) Open a terminal there', way: 'terminal' },
    { label: '$(clippy) Copy its path', way: 'copy' },
  ] as const;
  const chosen = await vscode.window.showQuickPick(ways, {
    placeHolder: plainLine(place.path, 300),
  });
  switch (chosen?.way) {
    case 'window':
      await vscode.commands.executeCommand('vscode.openFolder', vscode.Uri.file(place.path), {
        forceNewWindow: true,
      });
      break;
    case 'terminal':
      vscode.window.createTerminal({ name: `Task ${plainLine(task, 60)}`, cwd: place.path }).show();
      break;
    case 'copy':
      await vscode.env.clipboard.writeText(place.path);
      break;
    case undefined:
  }
}

/** Hands in a manual task: what its folder holds is its result. */
export async function submit(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, isOpen, 'A task of which goal?');
  const task = at && (await pickTask(context, given, at, waits, NOTHING));
  return at && task
    ? callGoal(context, 'submit', { ...at, task }, 'Goalproof: handing in…')
    : undefined;
}

function waits(task: TaskView): boolean {
  return Boolean(task.folder) && task.status === 'running';
}

function hasFolders(entry: { line: { status: string } }): boolean {
  return isOpen(entry) || entry.line.status === 'cancelled'; // a person's work is kept
}

function isOpen(entry: { line: { status: string } }): boolean {
  return entry.line.status === 'running' || entry.line.status === 'blocked_on_human';
}
