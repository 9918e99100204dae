// What is offered for a goal is a table by its status, of which only what the server says is possible.

import type { GoalLine, GoalView } from './protocol';
import type { GoalStatus } from './wire';

export type Action =
  | 'execute'
  | 'pause'
  | 'resume'
  | 'cancel'
  | 'answer'
  | 'tell'
  | 'accept'
  | 'reject'
  | 'diff'
  | 'apply'
  | 'undo'
  | 'deliver'
  | 'proof'
  | 'plan'
  | 'diagnose'
  | 'review'
  | 'verify'
  | 'rebase'
  | 'hunks';

/** What can be asked of a change that was judged. */
const JUDGED = ['diff', 'review', 'proof', 'verify', 'rebase'] as const;

export const POSSIBLE: Record<GoalStatus, readonly Action[]> = {
  planned: ['execute', 'plan', 'cancel'],
  running: ['answer', 'tell', 'pause', 'cancel'],
  paused: ['resume', 'cancel'],
  blocked_on_human: [
    'answer',
    'accept',
    'diagnose',
    ...JUDGED,
    'hunks',
    'reject',
    'resume',
    'cancel',
  ],
  blocked_on_external: ['diagnose', 'resume', 'cancel'],
  needs_more_budget: ['diagnose', 'resume', 'cancel'],
  failed_infra: ['diagnose', 'resume', 'cancel'],
  not_ready: ['execute', 'accept', 'diagnose', ...JUDGED, 'undo', 'reject', 'cancel'],
  ready: [...JUDGED, 'hunks', 'apply', 'undo', 'deliver', 'reject', 'execute', 'cancel'],
  delivered: ['diff', 'review', 'apply', 'undo', 'proof', 'reject'],
  cancelled: [],
};

export const WAITING: readonly GoalStatus[] = [
  'paused',
  'blocked_on_human',
  'blocked_on_external',
  'needs_more_budget',
  'failed_infra',
];

/** Returns what to offer for a goal, narrowed by what the server tells of it. */
export function findActions(line: GoalLine, view?: GoalView): Action[] {
  return listPossible(line.status).filter((action) =>
    view
      ? isPossible(action, view) && fits(action, view)
      : line.status !== 'running' || !OF_AGENTS.includes(action) || isPossible(action, line),
  );
}

/** What a running goal has only while an agent asks, or can hear. */
const OF_AGENTS: readonly Action[] = ['answer', 'tell'];

/** Whether an agent waits for a person to allow something. */
export function isAsking(line: Pick<GoalLine, 'status' | 'possible'>): boolean {
  return line.status === 'running' && isPossible('answer', line);
}

/** Whether the server says that an action is possible; progress does not tell, lists and views do. */
export function isPossible(action: Action, { possible }: Pick<GoalLine, 'possible'>): boolean {
  return possible.includes(action === 'plan' ? 'revise' : action);
}

function listPossible(status: string): readonly Action[] {
  return Object.hasOwn(POSSIBLE, status) ? POSSIBLE[status as GoalStatus] : [];
}

function fits(action: Action, view: GoalView): boolean {
  switch (action) {
    case 'diff':
    case 'review':
      return view.tree !== null;
    case 'apply':
      return view.applied.length === 0;
    default:
      return true;
  }
}

/** Whether only a person's word is missing for a criterion. */
export function isAcceptable(criterion: { state: string }): boolean {
  return criterion.state === 'implemented_unverified';
}

/** The context keys that menus and enablement look at. */
export interface ContextKeys {
  hasGoals: boolean;
  running: boolean;
  waiting: boolean;
  asking: boolean;
  acceptable: boolean;
  rejectable: boolean;
  applicable: boolean;
}

/** Returns the context keys for the goals of all folders. */
export function findContext(lines: readonly GoalLine[]): ContextKeys {
  const some = (...wanted: readonly string[]) => lines.some((line) => wanted.includes(line.status));
  return {
    hasGoals: lines.length > 0,
    running: some('running'),
    waiting: some(...WAITING),
    asking: some('blocked_on_human') || lines.some(isAsking),
    acceptable: some('blocked_on_human', 'not_ready'),
    rejectable: some('blocked_on_human', 'not_ready', 'ready', 'delivered'),
    applicable: some('ready', 'delivered'),
  };
}
