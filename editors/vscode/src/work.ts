// Carries out an operation on a goal: with progress, with gates approved first, and no loose error.

import type { GoalView } from './protocol';
import * as vscode from 'vscode';
import type { Context } from './context';
import { plainLine } from './plain';
import type { GoalOperation, Params } from './wire';
import { type UnapprovedGate, describeGate, isCancelled, readRefusal } from './refusal';

/**
 * Carries out an operation that answers with a goal.  Returns undefined where the person did not
 * approve the gates; rejects with what the server refuses.
 */
export async function callGoal<O extends GoalOperation>(
  context: Context,
  operation: O,
  params: Params<O>,
  title: string,
): Promise<GoalView | undefined> {
  const view = await withGates(context, params.root, () =>
    vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, () =>
      context.client.request(operation, params),
    ),
  );
  if (view) {
    await context.goals.take(params.root, view);
  }
  return view;
}

/** Does `work`; where gates are not approved, asks the person, approves them and does it again. */
export async function withGates<T>(
  context: Context,
  root: string,
  work: () => Thenable<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const refusal = readRefusal(error);
    if (refusal.kind !== 'GatesNotApproved' || refusal.gates.length === 0) {
      throw error;
    }
    if (!(await approve(context, root, refusal.gates))) {
      return undefined;
    }
    return work();
  }
}

/** Asks whether the repository may run these commands.  Returns whether they are approved now. */
export async function approve(
  context: Context,
  root: string,
  gates: readonly UnapprovedGate[],
): Promise<boolean> {
  const several = gates.length > 1;
  const chosen = await vscode.window.showWarningMessage(
    `This repository asks to run ${several ? 'these commands as gates' : 'this command as a gate'}.`,
    { modal: true, detail: gates.map(describeGate).join('\n\n') },
    'Approve and Run',
  );
  if (chosen === undefined) {
    return false;
  }
  const digests = gates.map((gate) => gate.digest);
  await context.client.request('trustGate', { root, digests });
  return true;
}

/** Runs `work` and tells the person what was refused: the outermost layer of every command. */
export async function guarded<T>(
  context: Pick<Context, 'output'>,
  name: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isCancelled(error)) {
      return undefined;
    }
    const { kind, message } = readRefusal(error);
    context.output.error(`${name}: ${message}`);
    void tell(kind, plainLine(message, 1000)).then(undefined, (fault: unknown) => {
      context.output.error(String(fault));
    });
    return undefined;
  }
}

const SHOW_OUTPUT = { title: 'Show Output', command: 'goalproof.showOutput' };

/** What can be done about a refusal, by its kind. */
const ANSWERS: Record<string, (typeof SHOW_OUTPUT)[]> = {
  NotTrusted: [{ title: 'Manage Workspace Trust', command: 'workbench.trust.manage' }],
  NotAdopted: [{ title: 'Adopt', command: 'goalproof.adopt' }],
};

async function tell(kind: string, message: string): Promise<void> {
  const answers = [...(ANSWERS[kind] ?? []), SHOW_OUTPUT];
  const titles = answers.map(({ title }) => title);
  const chosen = await vscode.window.showErrorMessage(message, ...titles);
  const answer = answers.find(({ title }) => title === chosen);
  if (answer) {
    await vscode.commands.executeCommand(answer.command);
  }
}
