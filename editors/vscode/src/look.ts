// How a status looks: its icon, its colour and its word.

export interface Look {
  icon: string;
  color?: string;
  word: string;
}

const GREEN = 'testing.iconPassed';
const RED = 'testing.iconFailed';
const YELLOW = 'list.warningForeground';
const GREY = 'disabledForeground';

export const GOAL_LOOKS: Record<string, Look> = {
  planned: { icon: 'circle-outline', word: 'planned' },
  running: { icon: 'sync~spin', word: 'running' },
  paused: { icon: 'debug-pause', word: 'paused' },
  blocked_on_human: { icon: 'question', color: YELLOW, word: 'needs you' },
  blocked_on_external: { icon: 'plug', color: YELLOW, word: 'waits for something outside' },
  needs_more_budget: { icon: 'credit-card', color: YELLOW, word: 'needs more budget' },
  failed_infra: { icon: 'error', color: RED, word: 'could not work' },
  not_ready: { icon: 'circle-slash', color: RED, word: 'not ready' },
  ready: { icon: 'pass-filled', color: GREEN, word: 'ready' },
  delivered: { icon: 'check-all', color: GREEN, word: 'delivered' },
  cancelled: { icon: 'debug-stop', color: GREY, word: 'cancelled' },
  damaged: { icon: 'warning', color: RED, word: 'damaged' },
};

export const TASK_LOOKS: Record<string, Look> = {
  pending: { icon: 'circle-outline', word: 'pending' },
  running: { icon: 'sync~spin', word: 'running' },
  done: { icon: 'pass', color: GREEN, word: 'done' },
  failed: { icon: 'error', color: RED, word: 'failed' },
  blocked: { icon: 'circle-slash', color: YELLOW, word: 'blocked' },
  skipped: { icon: 'debug-step-over', color: GREY, word: 'skipped' },
  cancelled: { icon: 'debug-stop', color: GREY, word: 'cancelled' },
};

export const CRITERION_LOOKS: Record<string, Look> = {
  verified: { icon: 'verified-filled', color: GREEN, word: 'verified' },
  implemented_unverified: { icon: 'unverified', color: YELLOW, word: 'not verified' },
  partial: { icon: 'circle-large-outline', color: YELLOW, word: 'partial' },
  blocked: { icon: 'error', color: RED, word: 'blocked' },
  not_addressed: { icon: 'circle-outline', word: 'not judged' },
};

/** Returns how a word of the server looks; one that is not known is shown as it is. */
export function findLook(looks: Record<string, Look>, word: string): Look {
  return Object.hasOwn(looks, word) ? looks[word]! : { icon: 'circle-outline', word };
}
