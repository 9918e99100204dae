// What agents ask leave for while they work, and what a person says to them.

import type { AskView, GoalView } from './protocol';
import * as vscode from 'vscode';
import type { Context } from './context';
import { type Chosen, type Given, pickGoal, pickTask } from './pick';
import { plainLabel, plainLine } from './plain';
import { hears } from './treeModel';
import { guarded, callGoal } from './work';

const ALLOW = 'Allow';
const DENY = 'Deny';
const OTHER = 'Answer…';

/** What was shown: another ask of the same content is shown again, the same one is not. */
const shown = new Set<string>();

/** Shows each ask that was not shown yet; nothing waits for an answer. */
export function showAsks(context: Context, at: Chosen, view: GoalView): void {
  for (const ask of view.asks) {
    const name = `${at.goal} ${ask.key} ${ask.until}`;
    if (!shown.has(name)) {
      shown.add(name);
      void guarded(context, 'answer', () => showAsk(context, at, ask, view.text));
    }
  }
}

async function showAsk(context: Context, at: Chosen, ask: AskView, text: string): Promise<void> {
  const message = `“${plainLine(text, 60)}”, task ${ask.task}: the agent asks ${plainLine(ask.text, 600)}`;
  const buttons = ask.action === 'question' ? [OTHER] : [ALLOW, DENY];
  const chosen = await vscode.window.showWarningMessage(message, ...buttons);
  if (chosen === OTHER) {
    await answerAsk(context, at, ask, undefined);
  } else if (chosen) {
    await answerAsk(context, at, ask, chosen.toLowerCase());
  }
}

/** Says yes or no to an ask, or what a question is answered with; asked for where it is not given. */
export async function answerAsk(
  context: Context,
  at: Chosen,
  ask: AskView,
  given: string | undefined,
): Promise<GoalView | undefined> {
  const text = given ?? (await askFor(ask));
  return text
    ? callGoal(context, 'answer', { ...at, question: ask.key, text }, 'Goalproof: answering…')
    : undefined;
}

async function askFor(ask: AskView): Promise<string | undefined> {
  const question = plainLine(ask.text, 400);
  if (ask.action !== 'question') {
    const chosen = await vscode.window.showQuickPick([ALLOW, DENY], {
      placeHolder: question,
      ignoreFocusOut: true,
    });
    return chosen?.toLowerCase();
  }
  if (ask.choices.length > 0) {
    const items = ask.choices.map((choice) => ({ label: plainLabel(choice, 160), choice }));
    const options = { placeHolder: question, ignoreFocusOut: true };
    return (await vscode.window.showQuickPick(items, options))?.choice;
  }
  return vscode.window.showInputBox({ prompt: question, ignoreFocusOut: true });
}

/** Says something to an agent while it works. */
export async function tell(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'tell', 'The agent of which goal?');
  const nothing = 'No agent of this goal works now that can hear you.';
  const task = at && (await pickTask(context, given, at, hears, nothing));
  if (!at || !task) {
    return undefined;
  }
  const prompt = `What should the agent of ${plainLine(task, 60)} know?`;
  const text =
    given.text ?? (await vscode.window.showInputBox({ prompt, ignoreFocusOut: true }))?.trim();
  if (!text) {
    return undefined;
  }
  const view = await callGoal(
    context,
    'tell',
    { ...at, task, text },
    'Goalproof: telling the agent…',
  );
  void vscode.window.showInformationMessage(
    `The agent of ${plainLine(task, 60)} hears it as soon as it listens; its log says when.`,
  );
  return view;
}
