// Values of the server with everything filled in, to be changed where a test cares.

import type {
  AskView,
  CriterionView,
  GateView,
  GoalLine,
  GoalList,
  GoalProgress,
  GoalView,
  TaskView,
} from '../../src/protocol';

export const ROOT = 'file:///project';
export const GOAL = 'goal-20260101-000000-000-0000abcd';

const SPEND = {
  wallMs: 8200,
  attempts: 1,
  changedLines: 2,
  tokens: 0,
  usd: '0',
  source: 'measured',
  turns: 0,
  priced: '',
};

export const spend = (more: Partial<GoalProgress['spend']> = {}) => ({ ...SPEND, ...more });

export const line = (more: Partial<GoalLine> = {}): GoalLine => ({
  id: GOAL,
  text: 'Make sums right',
  status: 'running',
  createdAt: '2026-01-01T00:00:00Z',
  done: 0,
  total: 1,
  blocker: '',
  damage: '',
  madeHere: true,
  possible: [],
  archived: false,
  notice: '',
  ...more,
});

export const list = (...goals: GoalLine[]): GoalList => ({ goals, archived: 0 });

export const progress = (more: Partial<GoalProgress> = {}): GoalProgress => ({
  goalId: GOAL,
  rev: 1,
  text: 'Make sums right',
  status: 'running',
  phase: 'execution',
  done: 1,
  total: 3,
  percentage: 33,
  lines: [],
  spend: spend(),
  blocker: '',
  asks: [],
  ...more,
});

export const task = (more: Partial<TaskView> = {}): TaskView => ({
  id: 'fix',
  title: 'Fix the sum',
  status: 'done',
  worker: 'recipe',
  attempts: 1,
  deps: [],
  files: ['calc.py'],
  reason: '',
  agent: '',
  folder: null,
  hasLog: false,
  spend: null,
  seeding: [],
  ...more,
});

export const ask = (more: Partial<AskView> = {}): AskView => ({
  key: '0123456789abcdef',
  task: 'fix',
  tool: 'Bash',
  action: 'execute',
  text: 'Bash: git push',
  detail: 'git push',
  paths: [],
  choices: [],
  until: '2026-01-01T00:05:00Z',
  ...more,
});

export const criterion = (more: Partial<CriterionView> = {}): CriterionView => ({
  id: 'adds',
  text: 'Sums are right',
  evidence: 'flips',
  gate: 'tests',
  tests: [],
  state: 'verified',
  reason: '',
  asks: '',
  why: '',
  ...more,
});

export const gate = (more: Partial<GateView> = {}): GateView =>
  ({
    name: 'tests',
    argv: ['python3', 'run_tests.py'],
    required: true,
    reason: 'goalproof.toml',
    bar: 'pass',
    met: true,
    verdict: '',
    gaps: [],
    baseline: 'failed',
    outcome: 'passed',
    trusted: null,
    cwd: '',
    env: [],
    fix: null,
    digest: 'd'.repeat(64),
    seeding: [],
    ...more,
  }) as GateView;

export const goal = (more: Partial<GoalView> = {}): GoalView =>
  ({
    id: GOAL,
    text: 'Make sums right',
    kind: 'fix',
    kindReason: '',
    status: 'ready',
    phase: 'proof',
    createdAt: '2026-01-01T00:00:00Z',
    updatedAt: null,
    baseCommit: 'a'.repeat(40),
    baseTree: 'b'.repeat(40),
    baseBranch: 'main',
    tree: 'c'.repeat(40),
    change: { files: ['calc.py'], additions: 1, deletions: 1 },
    tasks: [task()],
    gates: [gate()],
    criteria: [criterion()],
    spend: spend(),
    budget: {
      wallSeconds: null,
      attempts: null,
      changedLines: null,
      tokens: null,
      usd: null,
      maxAgents: 4,
      repairs: 2,
      turns: null,
    },
    proof: { digest: 'e'.repeat(64), tree: 'c'.repeat(40), path: '/proof' },
    questions: [],
    asks: [],
    blocker: '',
    reasons: [],
    next: [],
    notices: [],
    branch: null,
    applied: [],
    conflict: null,
    news: null,
    bases: [],
    possible: [
      'diff',
      'apply',
      'deliver',
      'execute',
      'proof',
      'verify',
      'hunks',
      'reject',
      'cancel',
      'review',
    ],
    archived: false,
    ...more,
  }) as GoalView;
