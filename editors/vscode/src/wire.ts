// Names for values of the server that its generated mirror has no name for.

import type { GoalProgress } from './protocol';

export type GoalStatus = GoalProgress['status'];

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
