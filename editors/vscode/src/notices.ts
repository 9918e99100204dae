// What a person is told when a goal stops working, and what they can do about it at once.

import type { Move } from './book';
import { plainLine } from './plain';

export type Notifications = 'off' | 'onNeeded' | 'always';

export interface Notice {
  level: 'information' | 'warning';
  message: string;
  /** Button → command, without its `goalproof.`. */
  buttons: readonly (readonly [string, string])[];
}

interface Kind {
  needed: boolean;
  words: string;
  buttons: Notice['buttons'];
}

const SHOW = ['Show Goal', 'showGoal'] as const;
const RESUME = ['Resume', 'resume'] as const;

const KINDS: Partial<Record<string, Kind>> = {
  running: {
    needed: true,
    words: 'waits for you',
    buttons: [['Open Folder', 'openTaskFolder'], ['Submit', 'submit'], SHOW],
  },
  ready: {
    needed: false,
    words: 'is ready',
    buttons: [['Show Diff', 'showDiff'], ['Apply', 'apply'], SHOW],
  },
  not_ready: {
    needed: true,
    words: 'is not ready',
    buttons: [SHOW, ['Show Log', 'showLog'], ['Show Diff', 'showDiff']],
  },
  blocked_on_human: {
    needed: true,
    words: 'needs you',
    buttons: [['Answer', 'answer'], ['Accept', 'accept'], SHOW],
  },
  blocked_on_external: {
    needed: true,
    words: 'waits for something outside',
    buttons: [RESUME, SHOW],
  },
  needs_more_budget: { needed: true, words: 'needs more budget', buttons: [RESUME, SHOW] },
  failed_infra: {
    needed: true,
    words: 'could not work',
    buttons: [RESUME, ['Show Log', 'showLog'], SHOW],
  },
};

/** Where a goal stops working; a person who paused or cancelled it knows. */
export function findNotice(move: Move, setting: Notifications): Notice | undefined {
  const kind = KINDS[move.to];
  const stopped = move.from === 'running' || move.from === 'planned';
  const waits = move.to !== 'running' || move.blocker !== '';
  if (
    !kind ||
    !stopped ||
    !waits ||
    setting === 'off' ||
    (setting === 'onNeeded' && !kind.needed)
  ) {
    return undefined;
  }
  const why = move.blocker ? `: ${plainLine(move.blocker, 200)}` : '.';
  return {
    level: kind.needed ? 'warning' : 'information',
    message: `“${plainLine(move.text, 80)}” ${kind.words}${why}`,
    buttons: kind.buttons,
  };
}
