// Read-only documents of the scheme `goalproof:`, whose text the server renders.

import * as vscode from 'vscode';
import type { GoalClient } from './client';
import type { Goals } from './goals';
import { plainLine, plainText } from './plain';
import { METHODS, type Page, type Rendered } from './protocol';
import { readRefusal } from './refusal';

export const SCHEME = 'goalproof';

/** What a document shows; its URI carries it. */
export interface Shown {
  root: string;
  goal: string;
  page: Page;
  task?: string;
  path?: string;
}

/**
 * Returns the URI of a document.  `name` is what a page's tab says.  Both sides of a file have its
 * path, so that a diff view does not take them for a file that was renamed.
 */
export function makeUri(shown: Shown, name = ''): vscode.Uri {
  const plain = plainLine(name, 60)
    .replace(/[/\\?#%*:|"<>]/g, ' ')
    .trim();
  const path = `/${shown.path ?? `${plain || shown.page}.md`}`;
  return vscode.Uri.from({ scheme: SCHEME, path, query: JSON.stringify(shown) });
}

/** Reads the URI of a document.  Returns undefined for one that is not ours. */
export function readUri(uri: vscode.Uri): Shown | undefined {
  try {
    const shown: unknown = JSON.parse(uri.query);
    const fits = typeof shown === 'object' && shown !== null && 'goal' in shown && 'page' in shown;
    return uri.scheme === SCHEME && fits ? (shown as Shown) : undefined;
  } catch {
    return undefined;
  }
}

export class Documents implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly subscriptions: vscode.Disposable[];
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly client: GoalClient,
    goals: Goals,
  ) {
    this.subscriptions = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      goals.onDidChange((goal) => this.redraw(goal)),
    ];
  }

  async provideTextDocumentContent(
    uri: vscode.Uri,
    token: vscode.CancellationToken,
  ): Promise<string> {
    const shown = readUri(uri);
    if (!shown) {
      return '';
    }
    try {
      const view = await this.client.send<Rendered>(METHODS.render, { ...shown }, token);
      if (view.binary) {
        return 'This file is binary.\n';
      }
      const isFile = shown.page === 'base' || shown.page === 'head';
      return isFile ? view.text : plainText(view.text);
    } catch (error) {
      return `${plainText(readRefusal(error).message)}\n`;
    }
  }

  dispose(): void {
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
    this.changed.dispose();
  }

  private redraw(goal: string | undefined): void {
    for (const document of vscode.workspace.textDocuments) {
      const shown = readUri(document.uri);
      if (shown && (goal === undefined || goal === shown.goal)) {
        this.changed.fire(document.uri);
      }
    }
  }
}

/** Shows a page as rendered markdown.  Nothing in it can run a command. */
export async function showPage(shown: Shown, title: string): Promise<void> {
  await vscode.commands.executeCommand('markdown.showPreview', makeUri(shown, title));
}
