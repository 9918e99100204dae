// The server's values by the names that this extension uses, and what a server may leave out.

import type {
  AgentsView as Agents,
  GoalProgress,
  GoalView as Goal,
  TaskView as Task,
} from './protocol';

export type GoalStatus = GoalProgress['status'];

export interface TaskView extends Task {
  readonly agent?: string;
  readonly folder?: string | null;
  readonly hasLog?: boolean;
}

export interface GoalView extends Goal {
  readonly tasks: readonly TaskView[];
}

export interface AgentView {
  readonly name: string;
  readonly title: string;
  readonly argv: readonly string[];
  readonly path: string | null;
  readonly available: boolean;
}

export interface AgentsView extends Agents {
  readonly agents?: readonly AgentView[];
}

export interface OpenView {
  readonly goal: string;
  readonly what: string;
  readonly path: string;
  readonly kind: 'file' | 'folder';
}

export interface LogView {
  readonly goal: string;
  readonly name: string;
  readonly text: string;
  readonly offset: number;
  readonly live: boolean;
}
