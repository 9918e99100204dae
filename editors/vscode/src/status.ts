// The status bar item: `statusText` says what it says.

import * as vscode from 'vscode';
import type { GoalClient } from './client';
import type { Goals } from './goals';
import { findMenu, findStatus } from './statusText';

export class Status implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly client: GoalClient,
    private readonly goals: Goals,
  ) {
    this.item = vscode.window.createStatusBarItem(
      'goalproof.status',
      vscode.StatusBarAlignment.Left,
      50,
    );
    this.item.name = 'Goalproof';
    this.item.command = 'goalproof.statusMenu';
    this.subscriptions = [
      this.item,
      client.onDidChange(() => this.draw()),
      goals.onDidChange(() => this.draw()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('goalproof.statusline')) {
          this.draw();
        }
      }),
    ];
    this.draw();
  }

  dispose(): void {
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
  }

  private draw(): void {
    const { text, tooltip, severity } = findStatus(
      this.client.state,
      this.client.words,
      this.goals.list(),
    );
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.accessibilityInformation = { label: text.replace(/\$\([^)]*\)\s*/g, '') };
    this.item.backgroundColor =
      severity === 'error' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
    if (vscode.workspace.getConfiguration('goalproof').get('statusline', true)) {
      this.item.show();
    } else {
      this.item.hide();
    }
  }
}

/** Opens the menu of what is possible now. */
export async function showStatusMenu(client: GoalClient, goals: Goals): Promise<void> {
  const items = findMenu(client.state, goals.list());
  const chosen = await vscode.window.showQuickPick(items, {
    title: 'Goalproof',
    placeHolder: client.state === 'ready' ? 'What is possible now' : client.words,
    matchOnDescription: true,
  });
  if (chosen) {
    await vscode.commands.executeCommand(`goalproof.${chosen.command}`, chosen.argument);
  }
}
