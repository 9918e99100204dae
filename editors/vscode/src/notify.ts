// Shows notices as toasts; nothing waits for them.

import * as vscode from 'vscode';
import { showAsks } from './asks';
import type { Move } from './book';
import type { Context } from './context';
import { type Notifications, findNotice } from './notices';
import { isAcceptable } from './possible';
import { guarded } from './work';

/** Tells the person that a goal stopped, as far as they want to know. */
export function notify(context: Context, move: Move): void {
  const settings = vscode.workspace.getConfiguration('goalproof');
  const notice = findNotice(move, settings.get<Notifications>('notifications', 'always'));
  if (!notice) {
    return;
  }
  const at = { root: move.root, goal: move.goal };
  void guarded(context, 'notify', async () => {
    if (move.to === 'running') {
      const view = await context.goals.view(move.goal, move.root);
      if (view.asks.length > 0) {
        showAsks(context, at, view);
        return;
      }
    }
    const buttons = new Map(await narrow(context, move, notice.buttons));
    const show =
      notice.level === 'warning'
        ? vscode.window.showWarningMessage
        : vscode.window.showInformationMessage;
    const chosen = await show(notice.message, ...buttons.keys());
    const command = chosen && buttons.get(chosen);
    if (command) {
      await vscode.commands.executeCommand(`goalproof.${command}`, at);
    }
  });
}

type Buttons = readonly (readonly [string, string])[];

/** Leaves out what the goal does not ask for: an answer without a question, say. */
async function narrow(context: Context, move: Move, buttons: Buttons): Promise<Buttons> {
  if (move.to !== 'blocked_on_human') {
    return buttons;
  }
  const view = await context.goals.view(move.goal, move.root);
  const asked: Record<string, boolean> = {
    answer: view.questions.length > 0,
    accept: view.criteria.some(isAcceptable),
  };
  return buttons.filter(([, command]) => asked[command] ?? true);
}
