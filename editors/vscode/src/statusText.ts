// What the status bar says: little while nothing happens, and never a figure that nobody measured.

import type { Entry } from './book';
import { GOAL_LOOKS, findLook } from './look';
import { plainLabel, plainLine } from './plain';
import { isAsking, isPossible } from './possible';
import { showCost, showSpend } from './spend';

export interface StatusText {
  text: string;
  tooltip: string;
  severity: 'none' | 'error';
}

const NEEDS_YOU = ['blocked_on_human', 'needs_more_budget', 'blocked_on_external', 'failed_infra'];

/** Returns what to show for a server's state and the goals of all folders. */
export function findStatus(
  state: 'starting' | 'ready' | 'failed' | 'stopped',
  words: string,
  entries: readonly Entry[],
): StatusText {
  switch (state) {
    case 'starting':
      return { text: '$(loading~spin) Goalproof', tooltip: words, severity: 'none' };
    case 'failed':
      return { text: '$(error) Goalproof', tooltip: words, severity: 'error' };
    case 'stopped':
      return { text: '$(circle-slash) Goalproof', tooltip: words, severity: 'none' };
    case 'ready':
      return findGoalStatus(words, entries);
  }
}

function findGoalStatus(words: string, entries: readonly Entry[]): StatusText {
  const active = entries.filter((entry) => entry.line.status === 'running');
  const running = active.filter((entry) => entry.line.blocker === '');
  const handed = active.filter((entry) => entry.line.blocker !== '');
  const waiting = entries.filter((entry) => NEEDS_YOU.includes(entry.line.status));
  const shown = [...active, ...waiting];
  const tooltip = shown.length > 0 ? shown.map(describe).join('\n\n') : words;
  if (running.length === 1) {
    return { text: `$(sync~spin) ${showRunning(running[0]!)}`, tooltip, severity: 'none' };
  }
  if (running.length > 1) {
    const done = sum(running, (entry) => entry.progress?.done ?? 0);
    const total = sum(running, (entry) => entry.progress?.total ?? 0);
    return {
      text: `$(sync~spin) ${running.length} goals ${done}/${total}`,
      tooltip,
      severity: 'none',
    };
  }
  if (handed.some((entry) => isAsking(entry.line))) {
    return { text: '$(question) Goalproof: an agent asks you', tooltip, severity: 'none' };
  }
  if (handed.length > 0) {
    return { text: '$(person) Goalproof: a task waits for you', tooltip, severity: 'none' };
  }
  if (waiting.length > 0) {
    return { text: `$(question) ${showWaiting(waiting)}`, tooltip, severity: 'none' };
  }
  return { text: '$(target) Goalproof', tooltip: words, severity: 'none' };
}

function showRunning(entry: Entry): string {
  const { progress } = entry;
  if (!progress) {
    return 'Goalproof: running';
  }
  const cost = showCost(progress.spend);
  const parts = [`${progress.phase} ${progress.done}/${progress.total}`];
  return [...parts, ...(cost ? [cost] : [])].join(' · ');
}

function showWaiting(waiting: readonly Entry[]): string {
  if (waiting.length > 1) {
    return `Goalproof: ${waiting.length} goals wait`;
  }
  const { status } = waiting[0]!.line;
  return `Goalproof: ${findLook(GOAL_LOOKS, status).word}`;
}

function describe(entry: Entry): string {
  const { line, progress } = entry;
  const lines = [
    plainLine(line.text, 120),
    `${findLook(GOAL_LOOKS, line.status).word}${progress ? `, ${progress.phase} ${progress.done}/${progress.total}` : ''}`,
  ];
  if (progress) {
    lines.push(showSpend(progress.spend));
  }
  if (line.blocker) {
    lines.push(plainLine(line.blocker, 300));
  }
  return lines.join('\n');
}

function sum<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0);
}

/** One line of the menu that a click on the status bar opens. */
export interface MenuItem {
  label: string;
  description: string;
  command: string;
  argument?: { goal: string; root: string };
}

const VERBS: Record<string, readonly (readonly [string, string])[]> = {
  running: [
    ['$(debug-pause) Pause', 'pause'],
    ['$(debug-stop) Cancel', 'cancel'],
    ['$(output) Show log', 'showLog'],
  ],
  asking: [
    ['$(comment-discussion) Answer the agent', 'answer'],
    ['$(megaphone) Say a word to it', 'tell'],
    ['$(output) Show log', 'showLog'],
    ['$(debug-pause) Pause', 'pause'],
    ['$(debug-stop) Cancel', 'cancel'],
  ],
  handed: [
    ['$(folder-opened) Open folder of the task', 'openTaskFolder'],
    ['$(pass) Submit the task', 'submit'],
    ['$(debug-pause) Pause', 'pause'],
    ['$(debug-stop) Cancel', 'cancel'],
  ],
  blocked_on_human: [
    ['$(comment-discussion) Answer', 'answer'],
    ['$(thumbsup) Accept', 'accept'],
    ['$(thumbsdown) Reject', 'reject'],
  ],
  needs_more_budget: [['$(debug-continue) Resume with more', 'resume']],
  blocked_on_external: [['$(debug-continue) Resume', 'resume']],
  failed_infra: [['$(debug-continue) Resume', 'resume']],
  paused: [['$(debug-continue) Resume', 'resume']],
  ready: [
    ['$(diff-multiple) Show diff', 'showDiff'],
    ['$(check) Apply', 'apply'],
    ['$(thumbsdown) Reject', 'reject'],
  ],
};

const SHOW_GOAL = ['$(open-preview) Show goal', 'showGoal'] as const;

const MENU_GOALS = 5;

/** Returns what is possible now: for the goals that move or wait first, then for the server. */
export function findMenu(state: string, entries: readonly Entry[]): MenuItem[] {
  const server: MenuItem[] = [
    { label: '$(debug-restart) Restart server', description: '', command: 'restart' },
    { label: '$(settings-gear) Select interpreter', description: '', command: 'selectInterpreter' },
    { label: '$(output) Show output', description: '', command: 'showOutput' },
  ];
  if (state !== 'ready') {
    return server;
  }
  const order = Object.keys(VERBS);
  const shown = entries
    .filter((entry) => order.includes(findState(entry)))
    .sort((one, other) => order.indexOf(findState(one)) - order.indexOf(findState(other)))
    .slice(0, MENU_GOALS);
  const verbs = shown.flatMap((entry) =>
    [...findVerbs(entry), SHOW_GOAL].map(([label, command]) => ({
      label,
      description: plainLabel(entry.line.text, 60),
      command,
      argument: { goal: entry.line.id, root: entry.root },
    })),
  );
  return [
    ...verbs,
    { label: '$(add) New goal', description: '', command: 'newGoal' },
    { label: '$(list-unordered) List goals', description: '', command: 'listGoals' },
    ...server,
  ];
}

/** What waits for an answer has no result yet to say no to. */
function findVerbs(entry: Entry): readonly (readonly [string, string])[] {
  return (VERBS[findState(entry)] ?? []).filter(
    ([, command]) => command !== 'reject' || isPossible('reject', entry.line),
  );
}

/** A running goal that waits for a person is a state of its own in the menu. */
function findState({ line }: Entry): string {
  if (isAsking(line)) {
    return 'asking';
  }
  return line.status === 'running' && line.blocker !== '' ? 'handed' : line.status;
}
