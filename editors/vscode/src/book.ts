// What is known of the goals: lists, views and the latest progress, and nothing that is out of date.

import type { GoalLine, GoalList, GoalProgress } from './protocol';
import type { GoalStatus, GoalView } from './wire';

export interface Entry {
  /** The URI of the workspace folder. */
  root: string;
  line: GoalLine;
  view?: GoalView;
  progress?: GoalProgress;
}

/** A goal that moved to another status, seen while this window looked. */
export interface Move {
  root: string;
  goal: string;
  text: string;
  from: GoalLine['status'];
  to: GoalStatus;
  blocker: string;
}

export class GoalBook {
  private readonly byRoot = new Map<string, Map<string, Entry>>();
  private readonly faults = new Map<string, string>();

  /** Replaces the list of a folder; what was known of a goal that has not moved is kept. */
  setList(root: string, list: GoalList): void {
    const before = this.byRoot.get(root);
    const entries = new Map<string, Entry>();
    for (const line of list.goals) {
      const known = before?.get(line.id);
      const view = known?.view?.status === line.status ? known.view : undefined;
      entries.set(line.id, { root, line, view, progress: known?.progress });
    }
    this.byRoot.set(root, entries);
    this.faults.delete(root);
  }

  /** Records that the goals of a folder cannot be listed, and why. */
  setFault(root: string, fault: string): void {
    this.byRoot.delete(root);
    this.faults.set(root, fault);
  }

  /** Takes a goal as the server answered it. */
  setView(root: string, view: GoalView): void {
    const entries = this.byRoot.get(root) ?? new Map<string, Entry>();
    const known = entries.get(view.id);
    const done = view.tasks.filter((task) => task.status === 'done').length;
    const line: GoalLine = {
      id: view.id,
      text: view.text,
      status: view.status,
      createdAt: view.createdAt,
      done,
      total: view.tasks.length,
      blocker: view.blocker,
      damage: known?.line.damage ?? '',
    };
    const entry = { root, line, view, progress: known?.progress };
    if (known) {
      entries.set(view.id, entry);
    } else {
      this.byRoot.set(root, new Map([[view.id, entry], ...entries]));
    }
  }

  /** Takes progress.  Returns the move where the status changed, undefined for older news. */
  see(progress: GoalProgress): Move | undefined {
    const entry = this.find(progress.goalId);
    if (!entry || progress.rev <= (entry.progress?.rev ?? 0)) {
      return undefined;
    }
    const from = entry.line.status;
    entry.progress = progress;
    entry.view = undefined;
    const { status: to, blocker, text } = progress;
    entry.line = { ...entry.line, status: to, blocker };
    if (from === to) {
      return undefined;
    }
    return { root: entry.root, goal: progress.goalId, text, from, to, blocker };
  }

  /** Forgets everything: the server that told it is gone. */
  clear(): void {
    this.byRoot.clear();
    this.faults.clear();
  }

  /** Forgets the folders that are not in `roots`. */
  keep(roots: readonly string[]): void {
    for (const root of [...this.byRoot.keys(), ...this.faults.keys()]) {
      if (!roots.includes(root)) {
        this.byRoot.delete(root);
        this.faults.delete(root);
      }
    }
  }

  find(goal: string): Entry | undefined {
    for (const entries of this.byRoot.values()) {
      const entry = entries.get(goal);
      if (entry) {
        return entry;
      }
    }
    return undefined;
  }

  /** Returns the goals of a folder, or of all, newest first within each. */
  list(root?: string): Entry[] {
    const maps = root === undefined ? [...this.byRoot.values()] : [this.byRoot.get(root)];
    return maps.flatMap((entries) => [...(entries?.values() ?? [])]);
  }

  /** Returns why the goals of a folder cannot be listed. */
  findFault(root: string): string | undefined {
    return this.faults.get(root);
  }
}
