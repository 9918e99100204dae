// The proof of a goal: read, and re-executed.

import * as vscode from 'vscode';
import type { Context } from './context';
import { showPage } from './documents';
import { type Given, pickGoal } from './pick';
import { plainLine } from './plain';
import type { HunksView, ReverificationView } from './protocol';
import { withGates } from './work';

/** Shows what the proof of a goal states. */
export async function openProof(context: Context, given: Given): Promise<void> {
  const at = await pickGoal(context, given, 'proof', 'The proof of which goal?');
  if (at) {
    const { text } = await context.goals.view(at.goal, at.root);
    await showPage({ ...at, page: 'proof' }, `Proof of ${plainLine(text, 50)}`);
  }
}

/** Re-executes the gates of a proof in a clean checkout and tells what came of it. */
export async function verifyProof(
  context: Context,
  given: Given,
): Promise<ReverificationView | undefined> {
  const at = await pickGoal(context, given, 'proof', 'Verify the proof of which goal?');
  if (!at) {
    return undefined;
  }
  const { goal: proof, root } = at;
  const found = await withGates(context, root, () =>
    vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: 'Goalproof: running the proof again in a clean checkout…',
        cancellable: true,
      },
      (_progress, token) =>
        context.client.request('verifyProof', { root, proof, run: true }, token),
    ),
  );
  if (found) {
    tell(context, found, given);
  }
  return found;
}

/** Takes away each hunk of a change, and tells how many no gate noticed; the proof lists them. */
export async function tryHunks(context: Context, given: Given): Promise<HunksView | undefined> {
  const at = await pickGoal(context, given, 'hunks', 'The hunks of which goal?');
  if (!at) {
    return undefined;
  }
  const found = await withGates(context, at.root, () =>
    vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: 'Goalproof: taking each hunk away and running the gates…',
        cancellable: true,
      },
      (_progress, token) => context.client.request('hunks', { ...at }, token),
    ),
  );
  if (found) {
    await context.goals.read(at.goal, at.root);
    const counts = Object.entries(found.count).map(([word, number]) => `${number} ${word}`);
    offerProof(context, `Hunks: ${plainLine(counts.join(', ') || 'none')}.`, at);
  }
  return found;
}

function tell(context: Context, found: ReverificationView, given: Given): void {
  const why = [...found.differences, ...found.missing, found.note].filter(Boolean).join('; ');
  const message = `${plainLine(found.outcome)}${why ? `: ${plainLine(why, 400)}` : '.'}`;
  context.output.info(`Proof ${found.bundle}: ${message}`);
  offerProof(context, message, given, found.outcome === 'REPRODUCED');
}

function offerProof(context: Context, message: string, given: Given, good = true): void {
  const show = good ? vscode.window.showInformationMessage : vscode.window.showWarningMessage;
  void show(message, 'Open Proof')
    .then((chosen) => chosen && vscode.commands.executeCommand('goalproof.openProof', given))
    .then(undefined, (error: unknown) => context.output.error(String(error)));
}
