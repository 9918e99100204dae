// Which goal, task or folder a command is about: from its argument, else the person is asked.

import type { TaskView } from './protocol';
import * as vscode from 'vscode';
import type { Entry } from './book';
import type { Context } from './context';
import { GOAL_LOOKS, TASK_LOOKS, findLook } from './look';
import { readLogUri } from './logTarget';
import { plainLabel } from './plain';
import { type Action, findActions, isPossible } from './possible';
import type { Target } from './treeModel';

/** What a command was given by the tree, a lens, a key binding or a toast. */
export interface Given extends Partial<Target> {
  path?: string;
  document?: string;
  text?: string;
  reason?: string;
  /** Skips what would be asked: set by whoever asked already. */
  yes?: boolean;
}

/** Reads a command's argument: a node of the tree, a log that is open, or a plain object. */
export function readGiven(argument: unknown): Given {
  if (argument instanceof vscode.Uri) {
    return readLogUri(argument) ?? {};
  }
  if (typeof argument !== 'object' || argument === null) {
    return {};
  }
  const from = 'target' in argument && argument.target ? argument.target : argument;
  return from as Given;
}

export interface Chosen {
  root: string;
  goal: string;
}

/**
 * Returns the goal that a command is about; undefined where the person chose none.  Only goals for
 * which `action` is possible are offered; a single one is not asked about.
 */
export async function pickGoal(
  context: Context,
  given: Given,
  action?: Action | ((entry: Entry) => boolean),
  placeHolder = 'Which goal?',
): Promise<Chosen | undefined> {
  if (given.goal) {
    const root = context.goals.find(given.goal)?.root ?? (await pickRoot(given));
    return root === undefined ? undefined : { root, goal: given.goal };
  }
  await context.goals.refresh();
  const fits = (entry: Entry) =>
    action === undefined ||
    (typeof action === 'function'
      ? action(entry)
      : findActions(entry.line, entry.view).includes(action) && isPossible(action, entry.line));
  const entries = context.goals.list(given.root).filter(fits);
  if (entries.length === 0) {
    const verb = typeof action === 'string' ? ` for which “${action}” is possible now` : '';
    void vscode.window.showInformationMessage(`There is no goal${verb}.`);
    return undefined;
  }
  if (entries.length === 1 && action !== undefined) {
    return { root: entries[0]!.root, goal: entries[0]!.line.id };
  }
  const items = entries.map(makeItem);
  const chosen = await vscode.window.showQuickPick(items, {
    placeHolder,
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return chosen && { root: chosen.entry.root, goal: chosen.entry.line.id };
}

function makeItem(entry: Entry): vscode.QuickPickItem & { entry: Entry } {
  const { line } = entry;
  const look = findLook(GOAL_LOOKS, line.status);
  return {
    entry,
    label: `$(${look.icon}) ${plainLabel(line.text, 100) || line.id}`,
    description: look.word,
    detail: [line.id, plainLabel(line.blocker || line.damage, 120)].filter(Boolean).join(' · '),
  };
}

/** Returns the task that a command is about, of those that fit. */
export async function pickTask(
  context: Context,
  given: Given,
  at: Chosen,
  fits: (task: TaskView) => boolean,
  nothing: string,
): Promise<string | undefined> {
  if (given.task) {
    return given.task;
  }
  const view = await context.goals.read(at.goal, at.root);
  const tasks = view.tasks.filter(fits);
  if (tasks.length === 0) {
    void vscode.window.showInformationMessage(nothing);
    return undefined;
  }
  if (tasks.length === 1) {
    return tasks[0]!.id;
  }
  const items = tasks.map((task) => ({
    id: task.id,
    label: `$(${findLook(TASK_LOOKS, task.status).icon}) ${plainLabel(task.title, 100)}`,
    description: task.id,
  }));
  return (await vscode.window.showQuickPick(items, { placeHolder: 'Which task?' }))?.id;
}

/** Returns the folder to work in: named, the active editor's, the only one, or chosen. */
export async function pickRoot(given: Given = {}): Promise<string | undefined> {
  if (given.root) {
    return given.root;
  }
  const folders = vscode.workspace.workspaceFolders ?? [];
  const active = vscode.window.activeTextEditor?.document.uri;
  const log = active && readLogUri(active);
  if (log) {
    return log.root;
  }
  const near = active && vscode.workspace.getWorkspaceFolder(active);
  if (near) {
    return near.uri.toString();
  }
  if (folders.length === 0) {
    void vscode.window.showInformationMessage('Open a folder first: a goal works on a repository.');
    return undefined;
  }
  const chosen =
    folders.length === 1
      ? folders[0]
      : await vscode.window.showWorkspaceFolderPick({ placeHolder: 'A goal for which folder?' });
  return chosen?.uri.toString();
}
