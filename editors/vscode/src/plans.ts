// Plans as files: opened, edited and run from where they are.

import type { GoalView } from './protocol';
import * as vscode from 'vscode';
import type { Context } from './context';
import { pickAgent } from './agents';
import { type Chosen, type Given, pickGoal, pickRoot } from './pick';

import { callGoal } from './work';

const PLAN_OF_GOAL = /[\\/]\.goalproof[\\/]goals[\\/]([^\\/]+)[\\/]plan\.toml$/;

/** Returns who reviews the result of a new goal, where the editor's settings say it. */
export function findReviewer(root: string): { reviewer?: string } {
  const settings = vscode.workspace.getConfiguration('goalproof', vscode.Uri.parse(root, true));
  const reviewer = settings.get<string>('reviewer', '');
  return reviewer ? { reviewer } : {};
}

/** Opens the plan of a goal; it can be edited until the goal starts. */
export async function openPlan(context: Context, at: Chosen): Promise<void> {
  const place = await context.client.request('open', { ...at, what: 'plan' });
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(place.path));
  await vscode.window.showTextDocument(document, { preview: false });
}

/** Lets an agent make the plan of a goal, and opens it. */
export async function planByAgent(
  context: Context,
  given: Given & { agent?: string },
): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'plan', 'An agent plans which goal?');
  const ask = 'Which agent makes the plan?';
  const agent = at && (given.agent ?? (await pickAgent(context, at.root, ask)));
  if (!at || !agent) {
    return undefined;
  }
  const params = { ...at, planner: 'agent' as const, agent };
  const title = 'Goalproof: an agent makes the plan…';
  const view = await callGoal(context, 'revise', params, title);
  if (view?.status === 'planned') {
    await openPlan(context, at);
  }
  return view;
}

/** Runs a plan: the goal's own where the file is one, else as a new goal. */
export async function runPlan(
  context: Context,
  given: Given,
  argument: unknown,
): Promise<GoalView | undefined> {
  const uri = argument instanceof vscode.Uri ? argument : await pickPlan(given);
  if (!uri) {
    return undefined;
  }
  const document = await vscode.workspace.openTextDocument(uri);
  const goal = PLAN_OF_GOAL.exec(uri.fsPath)?.[1];
  const folder = vscode.workspace.getWorkspaceFolder(uri)?.uri.toString();
  const root = given.root ?? folder ?? (await pickRoot());
  if (root === undefined) {
    return undefined;
  }
  const planText = document.getText();
  return goal === undefined
    ? callGoal(
        context,
        'run',
        { root, planText, ...findReviewer(root) },
        'Goalproof: starting the plan…',
      )
    : callGoal(context, 'execute', { root, goal, planText }, 'Goalproof: starting the goal…');
}

async function pickPlan(given: Given): Promise<vscode.Uri | undefined> {
  if (given.document) {
    return vscode.Uri.parse(given.document, true);
  }
  const active = vscode.window.activeTextEditor?.document;
  if (
    active?.uri.scheme === 'file' &&
    /\.toml$/.test(active.uri.path) &&
    isPlan(active.getText())
  ) {
    return active.uri;
  }
  const found = await vscode.window.showOpenDialog({
    title: 'Run a plan',
    openLabel: 'Run Plan',
    canSelectMany: false,
    filters: { 'Goalproof plan': ['toml'] },
  });
  return found?.[0];
}

/** Whether a TOML text looks like a plan: it has a goal and a task or a criterion. */
function isPlan(text: string): boolean {
  return /^\s*goal\s*=/m.test(text) && /^\s*\[\[(task|criterion)\]\]/m.test(text);
}
