// The palette's commands are one table; the server's own, from lenses and code actions, lead here too.

import type { GoalView, Page } from './protocol';
import * as vscode from 'vscode';
import { apply, deliver, undoApply } from './apply';
import { showBudget } from './budget';
import type { CommandMiddleware } from './client';
import type { Context } from './context';
import { type DiffTarget, showDiff } from './diff';
import { showPage } from './documents';
import { adopt } from './adopt';
import { archive, freeSpace, unarchive } from './keeping';
import { selectInterpreter } from './interpreterPick';
import { checkMachine, listGoals, showAgents, showGates } from './lists';
import { type From, type NewGoal, newGoal, newGoalFrom, newGoalFromSelection } from './newGoal';
import { type Given, pickGoal, pickTask, readGiven } from './pick';
import { plainLine } from './plain';
import { openPlan, planByAgent, runPlan } from './plans';
import type { Action } from './possible';
import { openProof, tryHunks, verifyProof } from './proof';
import { answer, accept, reject, resume } from './questions';
import { tell } from './asks';
import { reviewByAgent } from './review';
import { showStatusMenu } from './status';
import { openTaskFolder, submit } from './tasks';
import { callGoal, guarded } from './work';

type Handler = (context: Context, given: Given, argument: unknown) => Promise<unknown>;

const COMMANDS: Record<string, Handler> = {
  newGoal: (context, given) => newGoal(context, given as NewGoal),
  newGoalFromSelection: (context) => newGoalFromSelection(context),
  newGoalFrom: (context, given) => newGoalFrom(context, given as From),
  runPlan,
  editPlan: async (context, given) => {
    const at = await pickGoal(context, given, 'plan', 'The plan of which goal?');
    await (at && openPlan(context, at));
  },
  execute,
  pause: async (context, given) => {
    const at = await pickGoal(context, given, 'pause', 'Pause which goal?');
    return at && callGoal(context, 'pause', { ...at }, 'Goalproof: pausing…');
  },
  resume,
  cancel,
  showGoal,
  showDiff: async (context, given) => {
    const { task, path } = given;
    const at = await pickGoal(context, given, 'diff', 'The change of which goal?');
    await (at && showDiff(context, narrow({ ...at, task, path })));
  },
  showTaskDiff: async (context, given) => {
    const at = await pickGoal(context, given, undefined, 'A task of which goal?');
    const changed = (task: { files: readonly string[] }) => task.files.length > 0;
    const nothing = 'No task of this goal has changed a file yet.';
    const task = at && (await pickTask(context, given, at, changed, nothing));
    await (at && task && showDiff(context, { ...at, task }));
  },
  apply,
  undoApply,
  deliver,
  openProof,
  verifyProof,
  budget: showBudget,
  diagnose: showPageOf(
    'diagnosis',
    'diagnose',
    'Why does which goal stand where it stands?',
    'Why',
  ),
  replay: async (context, given) => {
    const at = await pickGoal(context, given, undefined, 'What happened to which goal?');
    if (at) {
      // not its view: a damaged goal has a history, and none
      const text = context.goals.find(at.goal)?.line.text ?? '';
      await showPage({ ...at, page: 'replay' }, `What happened: ${plainLine(text, 50)}`);
    }
  },
  reviewByAgent,
  review: showPageOf('review', 'review', 'Review the change of which goal?', 'Review'),
  verify: async (context, given) => {
    const at = await pickGoal(context, given, 'verify', 'The gates of which goal?');
    return at && callGoal(context, 'verify', { ...at }, 'Goalproof: running the gates again…');
  },
  rebase: async (context, given) => {
    const at = await pickGoal(context, given, 'rebase', 'Which goal onto the newest commits?');
    return at && callGoal(context, 'rebase', { ...at }, 'Goalproof: judging it on newer commits…');
  },
  planByAgent,
  hunks: tryHunks,
  answer,
  answerAsk: answer,
  tell,
  accept,
  reject,
  submit,
  openTaskFolder,
  showLog: async (context, given) => {
    const { task, gate } = given;
    const at = await pickGoal(context, given, undefined, 'The log of which goal?');
    await (at &&
      context.logs.follow({ ...at, ...(task ? { task } : {}), ...(gate ? { gate } : {}) }));
  },
  listGoals,
  showGates,
  checkMachine,
  showAgents,
  adopt,
  archive,
  unarchive,
  freeSpace,
  statusMenu: (context) => showStatusMenu(context.client, context.goals),
  selectInterpreter,
  restart: (context) => context.client.restart(),
  showOutput: async (context) => context.output.show(true),
  refresh: (context) => context.goals.refresh(),
};

/** Registers the palette's commands: before the server is started, so that none is ever missing. */
export function registerCommands(context: Context): vscode.Disposable[] {
  return Object.entries(COMMANDS).map(([name, handler]) =>
    vscode.commands.registerCommand(`goalproof.${name}`, (argument: unknown) =>
      guarded(context, name, () => handler(context, readGiven(argument), argument)),
    ),
  );
}

/** What a lens or code action of the server asks for, by the command of the palette that shows it. */
const SHOWN_BY: Record<string, string> = {
  'goal.diff': 'showDiff',
  'goal.show': 'showGoal',
  'goal.proof': 'openProof',
  'goal.apply': 'apply',
  'goal.execute': 'execute',
  'goal.cancel': 'cancel',
  'goal.resume': 'resume',
  'goal.budget': 'budget',
  'goal.pause': 'pause',
  'goal.accept': 'accept',
  'goal.reject': 'reject',
  'goal.answer': 'answer',
  'goal.tell': 'tell',
  'goal.verifyProof': 'verifyProof',
  'goal.adopt': 'adopt',
  'goal.archive': 'archive',
  'goal.unarchive': 'unarchive',
  'goal.gc': 'freeSpace',
  'goal.diagnose': 'diagnose',
  'goal.replay': 'replay',
  'goal.review': 'review',
  'goal.verify': 'verify',
  'goal.rebase': 'rebase',
  'goal.hunks': 'hunks',
};

/** Shows what the server's commands find instead of letting their answers go unseen. */
export function intercept(context: Context): CommandMiddleware {
  return (command, args, next) => {
    const handler = COMMANDS[SHOWN_BY[command] ?? ''];
    return handler
      ? guarded(context, command, () => handler(context, readGiven(args[0]), args[0]))
      : guarded(context, command, async () => next(command, args));
  };
}

async function execute(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'execute', 'Execute which goal?');
  if (!at) {
    return undefined;
  }
  const document = given.document ? { document: given.document } : {};
  return callGoal(context, 'execute', { ...at, ...document }, 'Goalproof: starting the goal…');
}

async function cancel(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'cancel', 'Cancel which goal?');
  if (!at) {
    return undefined;
  }
  if (!given.yes) {
    const { text } = await context.goals.view(at.goal, at.root);
    const chosen = await vscode.window.showWarningMessage(
      `Cancel “${plainLine(text, 120)}” for good?`,
      { modal: true, detail: 'It cannot go on afterwards. Pause stops it for now.' },
      'Cancel Goal',
    );
    if (chosen === undefined) {
      return undefined;
    }
  }
  return callGoal(context, 'cancel', { ...at }, 'Goalproof: cancelling…');
}

async function showGoal(context: Context, given: Given): Promise<void> {
  const at = await pickGoal(context, given, undefined, 'Which goal?');
  if (at) {
    const { text } = await context.goals.view(at.goal, at.root);
    await showPage({ ...at, page: 'goal' }, text);
  }
}

/** Returns a command that shows one page of a goal for which `action` is possible. */
function showPageOf(page: Page, action: Action, ask: string, title: string): Handler {
  return async (context, given) => {
    const at = await pickGoal(context, given, action, ask);
    if (at) {
      const { text } = await context.goals.view(at.goal, at.root);
      await showPage({ ...at, page }, `${title} ${plainLine(text, 50)}`);
    }
  };
}

function narrow(target: DiffTarget): DiffTarget {
  const { root, goal, task, path } = target;
  return { root, goal, ...(task ? { task } : {}), ...(path ? { path } : {}) };
}
