// Goals that are put out of sight or taken back, and room on the disk.

import * as vscode from 'vscode';
import type { Context } from './context';
import { type Given, pickGoal, pickRoot } from './pick';
import { plainLabel, plainLine } from './plain';
import type { GcView, GoalView } from './protocol';
import { callGoal } from './work';

/** Puts a goal that stands still out of the lists. */
export async function archive(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(
    context,
    given,
    ({ line }) => line.possible.includes('archive'),
    'Archive which goal? Nothing of it goes',
  );
  const view = at && (await callGoal(context, 'archive', { ...at }, 'Goalproof: archiving…'));
  await context.goals.refresh();
  return view;
}

/** Lets the person choose an archived goal, and takes it back into the lists. */
export async function unarchive(context: Context, given: Given): Promise<GoalView | undefined> {
  const root = await pickRoot(given);
  if (root === undefined) {
    return undefined;
  }
  const { goals } = await context.client.request('list', { root, archived: true });
  const items = goals
    .filter((line) => line.archived)
    .map(({ id, text, status }) => ({
      id,
      label: plainLabel(text, 100) || id,
      description: status,
    }));
  if (items.length === 0) {
    void vscode.window.showInformationMessage('No goal is archived here.');
    return undefined;
  }
  const placeHolder = 'Take which goal out of the archive?';
  const chosen = await vscode.window.showQuickPick(items, { placeHolder });
  const view =
    chosen &&
    (await callGoal(
      context,
      'unarchive',
      { root, goal: chosen.id },
      'Goalproof: taking the goal back…',
    ));
  await context.goals.refresh();
  return view;
}

/** Shows what takes room and can go; the person's yes lets it go. */
export async function freeSpace(context: Context, given: Given): Promise<void> {
  const root = await pickRoot(given);
  if (root === undefined) {
    return;
  }
  const shown = await context.client.request('gc', { root });
  if (!shown.rooms.some((room) => room.count > 0)) {
    void vscode.window.showInformationMessage(`Nothing can go. ${sayUsed(shown)}`);
    return;
  }
  const detail = shown.rooms
    .filter((room) => room.count > 0)
    .map((room) => `${room.words}: ${room.count}, ${saySize(room.bytes)}`)
    .join('\n');
  const question = `Free ${saySize(shown.bytes)}? ${sayUsed(shown)}`;
  const yes = await vscode.window.showWarningMessage(question, { modal: true, detail }, 'Free');
  if (yes !== undefined) {
    const freed = await context.client.request('gc', { root, yes: true });
    void vscode.window.showInformationMessage(`${saySize(freed.bytes)} went. ${sayUsed(freed)}`);
    await context.goals.refresh();
  }
}

function sayUsed(view: GcView): string {
  return `${saySize(view.used)} are kept in ${plainLine(view.folder, 200)}.`;
}

function saySize(bytes: number): string {
  return bytes >= 2 ** 20
    ? `${(bytes / 2 ** 20).toFixed(1)} MiB`
    : `${Math.ceil(bytes / 1024)} KiB`;
}
