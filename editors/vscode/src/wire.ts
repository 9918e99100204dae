// The operations as this extension calls them: the generated ones, each with its workspace folder.

import type { GoalProgress, GoalView, Operations, RunParams } from './protocol';

export type GoalStatus = GoalProgress['status'];

type WithoutPrefix<Id> = Id extends `goal.${infer Name}` ? Name : never;

/** `run` for the command `goal.run`. */
export type Operation = WithoutPrefix<keyof Operations>;

export type Result<O extends Operation> = Operations[`goal.${O}`]['result'];

/** What an operation takes. */
export type Params<O extends Operation> = Operations[`goal.${O}`]['params'] & {
  /** The URI of the workspace folder. */
  readonly root: string;
  /** The open document whose text is the plan; only operations that take a plan look at it. */
  readonly document?: string;
};

/** Who does the tasks of a new goal. */
export type Worker = NonNullable<RunParams['worker']>;

/** Operations that answer with a goal. */
export type GoalOperation = {
  [O in Operation]: Result<O> extends GoalView ? O : never;
}[Operation];
