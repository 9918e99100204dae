// A ready change reaches the person's files, and can be taken back out.

import type { GoalView } from './protocol';
import * as vscode from 'vscode';
import type { Context } from './context';
import { showDiff } from './diff';
import { type Chosen, type Given, pickGoal } from './pick';
import { plainLine } from './plain';
import { callGoal, guarded } from './work';

/** Applies a goal, after the person saw its size and could look at the diff. */
export async function apply(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'apply', 'Apply which goal?');
  if (!at) {
    return undefined;
  }
  if (!given.yes) {
    const view = await context.goals.read(at.goal, at.root);
    const chosen = await vscode.window.showInformationMessage(
      `Apply “${plainLine(view.text, 120)}” to your files?`,
      { modal: true, detail: showSize(view) },
      'Apply',
      'Show Diff First',
    );
    if (chosen === 'Show Diff First') {
      await showDiff(context, at);
      offer(context, 'You see the change as it would be applied.', { Apply: 'apply' }, at);
      return undefined;
    }
    if (chosen !== 'Apply') {
      return undefined;
    }
  }
  const view = await change(context, at, false);
  if (view) {
    const buttons = { Undo: 'undoApply', 'Deliver as a Branch': 'deliver' };
    offer(context, `Applied ${showSize(view)}. Undo takes it back out.`, buttons, at);
  }
  return view;
}

/** Takes an applied change back out of the person's files. */
export async function undoApply(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'undo', 'Take which goal back out?');
  const view = at && (await change(context, at, true));
  if (at && view) {
    offer(context, 'The change is out of your files again.', { 'Apply Again': 'apply' }, at);
  }
  return view;
}

/** Makes a branch of a ready goal. */
export async function deliver(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'deliver', 'Deliver which goal?');
  const view = at && (await callGoal(context, 'deliver', { ...at }, 'Goalproof: delivering…'));
  if (view) {
    void vscode.window.showInformationMessage(
      `Delivered as the branch ${plainLine(view.branch ?? '', 200)}; nothing was pushed.`,
    );
  }
  return view;
}

async function change(context: Context, at: Chosen, undo: boolean): Promise<GoalView | undefined> {
  const before = new Set(listUnsaved().map((document) => document.uri.toString()));
  const title = undo ? 'Goalproof: taking it back out…' : 'Goalproof: applying…';
  const params = undo ? { ...at, undo } : { ...at };
  const view = await callGoal(context, 'apply', params, title);
  const root = vscode.Uri.parse(at.root, true);
  if (view && vscode.workspace.getConfiguration('goalproof', root).get('saveOnApply', true)) {
    await saveNew(context, before);
  }
  return view;
}

/** Saves what the change made unsaved; what the person had unsaved before stays theirs. */
async function saveNew(context: Context, before: ReadonlySet<string>): Promise<void> {
  for (const document of listUnsaved()) {
    if (!before.has(document.uri.toString()) && !(await document.save())) {
      context.output.warn(`${document.uri.fsPath} could not be saved.`);
    }
  }
}

function listUnsaved(): vscode.TextDocument[] {
  return vscode.workspace.textDocuments.filter(
    (document) => document.isDirty && document.uri.scheme === 'file',
  );
}

function showSize(view: GoalView): string {
  const { change: size } = view;
  if (!size) {
    return 'nothing';
  }
  const files = size.files.length === 1 ? '1 file' : `${size.files.length} files`;
  return `+${size.additions} −${size.deletions} in ${files}`;
}

function offer(
  context: Context,
  message: string,
  buttons: Record<string, string>,
  at: Chosen,
): void {
  void guarded(context, 'apply', async () => {
    const chosen = await vscode.window.showInformationMessage(message, ...Object.keys(buttons));
    const command = chosen && buttons[chosen];
    if (command) {
      await vscode.commands.executeCommand(`goalproof.${command}`, { ...at, yes: true });
    }
  });
}
