// Draws the tree: `treeModel` says what is in it.

import * as vscode from 'vscode';
import type { GoalClient } from './client';
import type { Goals } from './goals';
import { readRefusal } from './refusal';
import { type Node, makeChildren, makeGoalNode, note } from './treeModel';

export class GoalTree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Node | undefined>();
  private readonly goalNodes = new Map<string, Node>();
  private readonly subscriptions: vscode.Disposable[];
  readonly onDidChangeTreeData = this.changed.event;

  constructor(
    private readonly goals: Goals,
    private readonly client: GoalClient,
  ) {
    this.subscriptions = [goals.onDidChange((goal) => this.redraw(goal))];
  }

  getTreeItem(node: Node): vscode.TreeItem {
    const item = new vscode.TreeItem(node.label, findCollapse(node));
    item.id = node.id;
    item.description = node.description;
    item.tooltip = node.tooltip || undefined;
    item.contextValue = node.context;
    if (node.look.icon) {
      const color = node.look.color ? new vscode.ThemeColor(node.look.color) : undefined;
      item.iconPath = new vscode.ThemeIcon(node.look.icon, color);
    }
    item.accessibilityInformation = {
      label: [node.label, node.look.word, node.description].filter(Boolean).join(', '),
    };
    item.command = findCommand(node);
    return item;
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (!node) {
      return this.makeTop();
    }
    if (node.kind === 'folder') {
      return this.makeGoals(node.root);
    }
    if (node.kind !== 'goal' || !node.target) {
      return node.children ?? [];
    }
    try {
      return makeChildren(node.root, await this.goals.view(node.target.goal, node.root));
    } catch (error) {
      return [note(node.target, 'fault', readRefusal(error).message)];
    }
  }

  dispose(): void {
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
    this.changed.dispose();
  }

  private redraw(goal: string | undefined): void {
    const node = goal === undefined ? undefined : this.goalNodes.get(goal);
    const entry = goal === undefined ? undefined : this.goals.find(goal);
    if (node && entry) {
      Object.assign(node, makeGoalNode(entry));
    }
    this.changed.fire(node);
  }

  private makeTop(): Node[] {
    if (this.client.state !== 'ready') {
      return [];
    }
    const { roots } = this.goals;
    return roots.length > 1
      ? roots.map((root) => makeFolderNode(root))
      : roots.flatMap((root) => this.makeGoals(root));
  }

  private makeGoals(root: string): Node[] {
    const fault = this.goals.findFault(root);
    if (fault !== undefined) {
      return [note({ root, goal: '' }, 'fault', fault)];
    }
    return this.goals.list(root).map((entry) => {
      const node = makeGoalNode(entry);
      this.goalNodes.set(entry.line.id, node);
      return node;
    });
  }
}

function makeFolderNode(root: string): Node {
  const uri = vscode.Uri.parse(root, true);
  return {
    id: root,
    kind: 'folder',
    label: vscode.workspace.getWorkspaceFolder(uri)?.name ?? uri.path,
    description: '',
    tooltip: uri.fsPath,
    look: { icon: 'root-folder', word: '' },
    context: 'folder',
    root,
  };
}

function findCollapse(node: Node): vscode.TreeItemCollapsibleState {
  const { None, Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
  if (node.children?.length === 0) {
    return None;
  }
  return node.kind === 'goal' ? Collapsed : Expanded;
}

const CLICKS: Partial<Record<Node['kind'], string>> = {
  task: 'goalproof.showTaskDiff',
  question: 'goalproof.answer',
};

function findCommand(node: Node): vscode.Command | undefined {
  const command = CLICKS[node.kind];
  const wanted = node.kind !== 'task' || node.context.includes('taskDiff');
  return command && wanted && node.target
    ? { command, title: node.label, arguments: [node.target] }
    : undefined;
}
