// Activation: everything is made here and given back to the editor to dispose of.

import * as vscode from 'vscode';
import { GoalClient } from './client';
import { intercept, registerCommands } from './commands';
import type { Context } from './context';
import { Documents } from './documents';
import { Goals } from './goals';
import { Logs } from './log';
import { notify } from './notify';
import { Status } from './status';
import { GoalTree } from './tree';

const STARTS_AGAIN = ['goalproof.path', 'goalproof.interpreter', 'goalproof.importStrategy'];

let client: GoalClient | undefined;
let channel: vscode.LogOutputChannel | undefined;

/** What tests and other extensions get. */
export interface Api {
  readonly state: () => string;
  /** How the server was started, or why it was not. */
  readonly words: () => string;
  /** The process id of the server. */
  readonly pid: () => number | undefined;
  readonly tree: GoalTree;
  readonly output: vscode.LogOutputChannel;
}

export function activate(extension: vscode.ExtensionContext): Api {
  const output = vscode.window.createOutputChannel('Goalproof', { log: true });
  channel = output;
  const started = new GoalClient(extension.extension, output);
  client = started;
  const goals = new Goals(started, output);
  const context: Context = {
    client: started,
    goals,
    documents: new Documents(started, goals),
    logs: new Logs(started, goals),
    output,
    extensionPath: extension.extensionPath,
  };
  started.intercept = intercept(context);
  const tree = new GoalTree(goals, started);
  const view = vscode.window.createTreeView('goalproof.goals', {
    treeDataProvider: tree,
    showCollapseAll: true,
  });
  extension.subscriptions.push(
    ...registerCommands(context),
    goals.onDidMove((move) => notify(context, move)),
    new Status(started, goals),
    view,
    goals.onDidChange(() => {
      view.badge = findBadge(goals);
    }),
    tree,
    context.documents,
    context.logs,
    goals,
    vscode.workspace.onDidGrantWorkspaceTrust(() => void onTrust(context)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (STARTS_AGAIN.some((name) => event.affectsConfiguration(name))) {
        void started.restart();
      }
    }),
    started,
  );
  // not awaited: a server that is slow, or missing, keeps nothing else from working
  void started.start();
  return {
    state: () => started.state,
    words: () => started.words,
    pid: () => started.pid,
    tree,
    output,
  };
}

export async function deactivate(): Promise<void> {
  await client?.stop();
  client = undefined;
  channel?.dispose(); // the last of all: stopping writes to it
  channel = undefined;
}

/** A trusted workspace may have an interpreter of its own, so a server that failed is looked for again. */
async function onTrust({ client: trusting, goals, output }: Context): Promise<void> {
  try {
    if (trusting.state === 'failed') {
      await trusting.restart();
      return;
    }
    await trusting.trust();
    await goals.refresh();
  } catch (error) {
    output.error(`The server was not told of the trust: ${String(error)}`);
  }
}

/** How many goals wait for the person, on the icon of the view. */
function findBadge(goals: Goals): vscode.ViewBadge | undefined {
  const value = goals.list().filter(({ line }) => line.status === 'blocked_on_human').length;
  const tooltip = value === 1 ? 'One goal needs you' : `${value} goals need you`;
  return value > 0 ? { value, tooltip } : undefined;
}
