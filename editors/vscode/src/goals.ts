// The goals of all folders as the server told them, asked for again when they may have changed.

import * as vscode from 'vscode';
import { GoalBook, type Entry, type Move } from './book';
import type { GoalClient } from './client';
import { findContext } from './possible';
import type { GoalProgress, GoalView } from './protocol';
import { readRefusal } from './refusal';

/** Milliseconds between two redraws while a goal works. */
const PAUSE_MS = 250;

export class Goals implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<string | undefined>();
  private readonly moved = new vscode.EventEmitter<Move>();
  private readonly subscriptions: vscode.Disposable[];
  private readonly book = new GoalBook();
  private readonly due = new Set<string | undefined>();
  private timer: NodeJS.Timeout | undefined;
  private refreshing: Promise<void> | undefined;
  private stale = false;

  /** Fires with the id of a goal that changed, or undefined where all may have. */
  readonly onDidChange = this.changed.event;
  readonly onDidMove = this.moved.event;

  constructor(
    private readonly client: GoalClient,
    private readonly output: vscode.LogOutputChannel,
  ) {
    this.subscriptions = [
      client.onProgress((progress) => this.see(progress)),
      client.onDidChange(() => this.follow()),
      vscode.workspace.onDidChangeWorkspaceFolders(() => void this.refresh()),
    ];
  }

  get roots(): string[] {
    return (vscode.workspace.workspaceFolders ?? [])
      .filter((folder) => folder.uri.scheme === 'file')
      .map((folder) => folder.uri.toString());
  }

  list(root?: string): Entry[] {
    return this.book.list(root);
  }

  find(goal: string): Entry | undefined {
    return this.book.find(goal);
  }

  findFault(root: string): string | undefined {
    return this.book.findFault(root);
  }

  /** Asks for the lists of all folders.  Never rejects: a folder's fault is shown in its place. */
  refresh(): Promise<void> {
    if (this.refreshing) {
      this.stale = true;
      return this.refreshing;
    }
    this.refreshing = this.readLists().finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  /** Returns a goal as it is now, from the server where the known one is out of date. */
  async view(goal: string, root: string): Promise<GoalView> {
    const known = this.book.find(goal)?.view;
    return known ?? this.read(goal, root);
  }

  /** Returns a goal as the server tells it now. */
  async read(goal: string, root: string): Promise<GoalView> {
    const view = await this.client.request('show', { goal, root });
    this.announce(this.book.setView(root, view));
    this.book.dropOutdated(view.id);
    return view;
  }

  /** Takes a goal that an operation answered with: perhaps one that was made by it. */
  async take(root: string, view: GoalView): Promise<void> {
    this.book.expect(view.id);
    if (this.book.isNewer(view.id, view.status)) {
      await this.read(view.id, root); // progress was faster than the answer
    } else {
      this.announce(this.book.setView(root, view));
    }
    this.tell(view.id);
    this.setContext();
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
    this.changed.dispose();
    this.moved.dispose();
  }

  private async readLists(): Promise<void> {
    do {
      this.stale = false;
      const roots = this.roots;
      this.book.keep(roots);
      await Promise.all(roots.map((root) => this.readList(root)));
    } while (this.stale);
    this.setContext();
    this.changed.fire(undefined);
  }

  private async readList(root: string): Promise<void> {
    if (this.client.state !== 'ready') {
      return;
    }
    try {
      const list = await this.client.request('list', { root });
      for (const move of this.book.setList(root, list)) {
        this.announce(move);
      }
    } catch (error) {
      const { message } = readRefusal(error);
      this.output.warn(`The goals of ${root} cannot be listed: ${message}`);
      this.book.setFault(root, message);
    }
  }

  private see(progress: GoalProgress): void {
    const move = this.book.see(progress);
    if (!this.book.find(progress.goalId)) {
      void this.refresh();
      return;
    }
    if (move) {
      this.setContext();
      this.announce(move);
    }
    this.tell(progress.goalId);
  }

  private announce(move: Move | undefined): void {
    if (move) {
      this.moved.fire(move);
    }
  }

  private follow(): void {
    if (this.client.state === 'ready') {
      void this.refresh();
      return;
    }
    this.book.clear();
    this.setContext();
    this.changed.fire(undefined);
  }

  private tell(goal: string | undefined): void {
    this.due.add(goal);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const due = [...this.due];
      this.due.clear();
      for (const one of due) {
        this.changed.fire(one);
      }
    }, PAUSE_MS);
  }

  private setContext(): void {
    const lines = this.book.list().map((entry) => entry.line);
    const state = this.client.state;
    const keys = { ...findContext(lines), ready: state === 'ready', state };
    for (const [key, value] of Object.entries(keys)) {
      void vscode.commands.executeCommand('setContext', `goalproof.${key}`, value);
    }
  }
}
