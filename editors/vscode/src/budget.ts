// What a goal used of its limits; choosing one adds to it.

import * as vscode from 'vscode';
import type { Context } from './context';
import { type Given, pickGoal } from './pick';
import { plainLabel, plainLine } from './plain';
import type { BudgetParams, LimitView, SpendingView } from './protocol';

type Key = Exclude<keyof BudgetParams, 'goal' | 'maxAgents' | 'reason'>;

const ADDED_BY: Record<string, Key> = {
  wall_seconds: 'addSeconds',
  attempts: 'addAttempts',
  changed_lines: 'addLines',
  tokens: 'addTokens',
  usd: 'addUsd',
  turns: 'addTurns',
};

/** Shows the limits of a goal and adds to the one that is chosen; it starts nothing. */
export async function showBudget(
  context: Context,
  given: Given,
): Promise<SpendingView | undefined> {
  const at = await pickGoal(context, given, undefined, 'The budget of which goal?');
  if (!at) {
    return undefined;
  }
  const view = await context.client.request('budget', { ...at });
  const chosen = await vscode.window.showQuickPick(view.limits.map(showLimit), {
    title: `Budget of “${plainLine(view.text, 60)}”`,
    placeHolder: 'Choose a limit to add to',
  });
  const limit = chosen?.limit;
  const key = limit && ADDED_BY[limit.name];
  if (!limit || !key) {
    return view;
  }
  if (limit.limit === null) {
    void vscode.window.showInformationMessage(`There is no limit of ${plainLine(limit.words)}.`);
    return view;
  }
  const more = await vscode.window.showInputBox({
    prompt: `How many ${plainLine(limit.words)} more? ${plainLine(limit.used)} of ${plainLine(limit.limit)} are used.`,
    value: limit.limit,
    ignoreFocusOut: true,
  });
  if (!more) {
    return view;
  }
  const params = { ...at, [key]: more } as unknown as BudgetParams & typeof at;
  const after = await context.client.request('budget', params);
  await context.goals.read(at.goal, at.root);
  return after;
}

function showLimit(limit: LimitView): vscode.QuickPickItem & { limit: LimitView } {
  const percent = limit.percent === null ? '' : ` (${limit.percent} %)`;
  const description =
    limit.limit === null
      ? `${limit.used} used, no limit`
      : `${limit.used} of ${limit.limit} used${percent}, ${limit.left ?? 'unknown'} left`;
  return { limit, label: plainLabel(limit.words), description: plainLabel(description) };
}
