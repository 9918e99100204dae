// The change of a goal or a task in the editor's own diff views.

import * as vscode from 'vscode';
import type { Context } from './context';
import { makeUri } from './documents';
import { plainLine } from './plain';

export interface DiffTarget {
  root: string;
  goal: string;
  task?: string;
  path?: string;
}

/** Opens the change: one file side by side, several in one view. */
export async function showDiff(context: Context, target: DiffTarget): Promise<void> {
  const view = await context.goals.read(target.goal, target.root);
  const task = view.tasks.find((one) => one.id === target.task);
  const files = task ? task.files : (view.change?.files ?? []);
  const name = plainLine(task ? task.title : view.text, 60);
  const wanted = target.path === undefined ? files : files.filter((file) => file === target.path);
  if (wanted.length === 0) {
    const what = target.path === undefined ? '' : ` to ${plainLine(target.path)}`;
    void vscode.window.showInformationMessage(`“${name}” has made no change${what} yet.`);
    return;
  }
  const sides = (path: string): [vscode.Uri, vscode.Uri] => {
    const { root, goal, task: of } = target;
    const at = { root, goal, path, ...(of ? { task: of } : {}) };
    return [makeUri({ ...at, page: 'base' }), makeUri({ ...at, page: 'head' })];
  };
  if (wanted.length === 1) {
    const [base, head] = sides(wanted[0]!);
    const title = `${plainLine(wanted[0]!, 80)} — ${name}`;
    await vscode.commands.executeCommand('vscode.diff', base, head, title, { preview: true });
    return;
  }
  const root = vscode.Uri.parse(target.root, true);
  const list = wanted.map((path) => [vscode.Uri.joinPath(root, path), ...sides(path)]);
  await vscode.commands.executeCommand('vscode.changes', name, list);
}
