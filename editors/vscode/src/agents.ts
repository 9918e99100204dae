// Which agents are here, and which of them a person means.

import * as vscode from 'vscode';
import type { Context } from './context';
import { plainLabel } from './plain';
import type { AgentsView } from './protocol';

type Item = vscode.QuickPickItem & { agent: string };

/** Returns the agents that are installed, as rows to choose from. */
export function listAgents(view: AgentsView): Item[] {
  return (view.agents ?? [])
    .filter((agent) => agent.available)
    .map((agent) => ({
      label: `$(hubot) ${plainLabel(agent.title || agent.name)}`,
      description: plainLabel(agent.path ?? agent.name, 120),
      agent: agent.name,
    }));
}

/** Returns the agent that is to be asked: the only one, or the one that the person chooses. */
export async function pickAgent(
  context: Context,
  root: string,
  placeHolder: string,
): Promise<string | undefined> {
  const items = listAgents(await context.client.request('agents', { root }));
  if (items.length === 0) {
    void vscode.window.showInformationMessage(
      'No agent is installed here. “Goalproof: Show Agents…” says how to get one.',
    );
    return undefined;
  }
  const chosen =
    items.length === 1
      ? items[0]
      : await vscode.window.showQuickPick(items, { placeHolder, ignoreFocusOut: true });
  return chosen?.agent;
}
