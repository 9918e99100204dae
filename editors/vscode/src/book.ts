// What is known of the goals: lists, views and the latest progress, and which moves were told.

import type { GoalLine, GoalList, GoalProgress, GoalView } from './protocol';

export interface Entry {
  /** The URI of the workspace folder. */
  root: string;
  line: GoalLine;
  view?: GoalView;
  progress?: GoalProgress;
}

/** A goal that came to another status, or began to wait, while this window looked. */
export interface Move {
  root: string;
  goal: string;
  text: string;
  from: string;
  to: string;
  blocker: string;
}

/** Progress tells what agents ask, and no more of what is possible. */
function withAnswer(possible: readonly string[], progress: GoalProgress): readonly string[] {
  if (progress.status !== 'running') {
    return possible;
  }
  const others = possible.filter((verb) => verb !== 'answer');
  return progress.asks.length > 0 ? ['answer', ...others] : others;
}

interface Standing {
  status: string;
  /** What it waits for while it runs: a person's task, say. */
  waits: string;
}

/** How a goal stood of which nothing was known before its first progress. */
const NEW: Standing = { status: 'planned', waits: '' };

export class GoalBook {
  private readonly byRoot = new Map<string, Map<string, Entry>>();
  private readonly faults = new Map<string, string>();
  /** Progress of goals whose folder is not known yet. */
  private readonly orphans = new Map<string, GoalProgress>();
  /** How each goal stood when that was last told, or when the goal was first seen. */
  private readonly told = new Map<string, Standing>();

  /** Replaces the list of a folder; what was known of a goal that has not moved is kept. */
  setList(root: string, list: GoalList): Move[] {
    const before = this.byRoot.get(root);
    const entries = new Map<string, Entry>();
    for (const line of list.goals) {
      const known = before?.get(line.id);
      const view = known?.view?.status === line.status ? known.view : undefined;
      entries.set(line.id, { root, line, view, progress: known?.progress ?? this.adopt(line.id) });
    }
    this.byRoot.set(root, entries);
    this.faults.delete(root);
    return [...entries.values()].flatMap((entry) => this.settle(entry) ?? []);
  }

  /** Records that the goals of a folder cannot be listed, and why. */
  setFault(root: string, fault: string): void {
    this.byRoot.delete(root);
    this.faults.set(root, fault);
  }

  /** Takes a goal as the server answered it. */
  setView(root: string, view: GoalView): Move | undefined {
    const entries = this.byRoot.get(root) ?? new Map<string, Entry>();
    const known = entries.get(view.id);
    const line: GoalLine = {
      id: view.id,
      text: view.text,
      status: view.status,
      createdAt: view.createdAt,
      done: view.tasks.filter((task) => task.status === 'done').length,
      total: view.tasks.length,
      blocker: view.blocker,
      damage: known?.line.damage ?? '',
      notice: known?.line.notice ?? '',
      madeHere: known?.line.madeHere ?? true,
      possible: view.possible,
      archived: view.archived,
    };
    const entry = { root, line, view, progress: known?.progress ?? this.adopt(view.id) };
    if (known) {
      entries.set(view.id, entry);
    } else {
      this.byRoot.set(root, new Map([[view.id, entry], ...entries]));
    }
    return this.settle(entry);
  }

  /** Takes progress.  Returns the move where the status changed, undefined for older news. */
  see(progress: GoalProgress): Move | undefined {
    const entry = this.find(progress.goalId);
    const known = entry ? entry.progress : this.orphans.get(progress.goalId);
    if (progress.rev <= (known?.rev ?? 0)) {
      return undefined;
    }
    if (!entry) {
      this.orphans.set(progress.goalId, progress);
      this.told.set(progress.goalId, this.told.get(progress.goalId) ?? NEW);
      return undefined;
    }
    entry.progress = progress;
    entry.view = undefined;
    entry.line = {
      ...entry.line,
      status: progress.status,
      blocker: progress.blocker,
      possible: withAnswer(entry.line.possible, progress),
    };
    return this.settle(entry);
  }

  /** Whether progress told another status than an answer: it may have overtaken the answer. */
  isNewer(goal: string, status: string): boolean {
    const progress = this.find(goal)?.progress ?? this.orphans.get(goal);
    return progress !== undefined && progress.status !== status;
  }

  /** Forgets progress that says something else than what was read after it. */
  dropOutdated(goal: string): void {
    const entry = this.find(goal);
    if (entry?.progress && entry.progress.status !== entry.line.status) {
      entry.progress = undefined;
    }
  }

  /** Forgets everything: the server that told it is gone. */
  clear(): void {
    for (const map of [this.byRoot, this.faults, this.orphans, this.told]) {
      map.clear();
    }
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

  /** Says that a goal was made here: what it comes to is news. */
  expect(goal: string): void {
    if (!this.told.has(goal)) {
      this.told.set(goal, NEW);
    }
  }

  private adopt(goal: string): GoalProgress | undefined {
    const progress = this.orphans.get(goal);
    this.orphans.delete(goal);
    return progress;
  }

  private settle(entry: Entry): Move | undefined {
    const { id: goal, status: to, blocker, text } = entry.line;
    const before = this.told.get(goal);
    const now: Standing = { status: to, waits: to === 'running' ? blocker : '' };
    this.told.set(goal, now);
    const moved = before?.status !== to || (now.waits !== '' && now.waits !== before.waits);
    return before === undefined || !moved
      ? undefined
      : { root: entry.root, goal, text, from: before.status, to, blocker };
  }
}
