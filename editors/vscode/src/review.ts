// A review of a goal's change by an agent, asked for now; it decides nothing.

import * as vscode from 'vscode';
import { pickAgent } from './agents';
import type { Context } from './context';
import { showPage } from './documents';
import { type Given, pickGoal } from './pick';
import { plainLine } from './plain';
import type { ReviewView } from './protocol';
import { withGates } from './work';

/** Has an agent review the change of a goal, and shows the review with what it found. */
export async function reviewByAgent(
  context: Context,
  given: Given & { agent?: string },
): Promise<ReviewView | undefined> {
  const at = await pickGoal(context, given, 'review', 'An agent reviews the change of which goal?');
  const ask = 'Which agent reviews it? It only reads, and what it uses counts.';
  const agent = at && (given.agent ?? (await pickAgent(context, at.root, ask)));
  if (!at || !agent) {
    return undefined;
  }
  const found = await withGates(context, at.root, () =>
    vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: `Goalproof: ${plainLine(agent, 40)} reviews the change…`,
        cancellable: true,
      },
      (_progress, token) => context.client.request('review', { ...at, reviewer: agent }, token),
    ),
  );
  if (!found) {
    return undefined;
  }
  await context.goals.refresh(); // a review that is shown already is drawn anew
  const { text } = await context.goals.read(at.goal, at.root);
  await showPage({ ...at, page: 'review' }, `Review ${plainLine(text, 50)}`);
  const missing = found.sections.flatMap((section) => section.gaps).find(isMissing);
  if (missing) {
    void vscode.window.showWarningMessage(plainLine(missing, 600));
  }
  return found;
}

/** Whether a gap is that the agent gave no review. */
function isMissing(gap: string): boolean {
  return gap.startsWith('no review of ');
}
