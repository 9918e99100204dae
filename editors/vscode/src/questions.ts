// What only a person can say: answers, acceptance, more budget.  Asked for, never waited for.

import type { AskView, GoalView } from './protocol';
import * as vscode from 'vscode';
import { answerAsk } from './asks';
import type { Context } from './context';
import { type Chosen, type Given, pickGoal } from './pick';
import { plainLabel, plainLine } from './plain';
import { isAcceptable } from './possible';
import { findLimits } from './limits';
import { callGoal } from './work';

/** Asks for an answer to a question of a goal and hands it over. */
export async function answer(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'answer', 'Which goal’s question?');
  if (!at) {
    return undefined;
  }
  const { questions, asks } = await context.goals.read(at.goal, at.root);
  if (asks.length > 0) {
    const named = asks.find((one) => one.key === given.question);
    const ask = named ?? (await pickAsk(asks));
    return ask && answerAsk(context, at, ask, given.text);
  }
  if (questions.length === 0) {
    void vscode.window.showInformationMessage('The goal asks nothing now.');
    return undefined;
  }
  const named = questions.find((one) => one.id === given.question);
  const question =
    named ??
    (questions.length === 1
      ? questions[0]
      : await vscode.window
          .showQuickPick(
            questions.map((one) => ({ label: plainLabel(one.text, 160), question: one })),
            { placeHolder: 'Which question?' },
          )
          .then((chosen) => chosen?.question));
  if (!question) {
    return undefined;
  }
  const text =
    given.text ??
    (await askFor(plainLine(question.text, 400), 'Your answer', findUsualAnswer(question.id)));
  if (!text) {
    return undefined;
  }
  const params = { ...at, question: question.id, text };
  const view = await callGoal(context, 'answer', params, 'Goalproof: answering…');
  offerToGoOn(context, at, view);
  return view;
}

async function pickAsk(asks: readonly AskView[]): Promise<AskView | undefined> {
  if (asks.length === 1) {
    return asks[0];
  }
  const items = asks.map((ask) => ({
    label: plainLabel(ask.text, 160),
    description: ask.task,
    ask,
  }));
  return (await vscode.window.showQuickPick(items, { placeHolder: 'Which one?' }))?.ask;
}

const USUAL: readonly (readonly [string, string])[] = [
  ['gate:', 'optional'],
  ['unmetered', 'unlimited'],
  ['tamper', 'restore'],
  ['moved', 'mine'],
];

/** Returns the answer that a kind of question usually has, for the person to change. */
function findUsualAnswer(question: string): string {
  return USUAL.find(([prefix]) => question.startsWith(prefix))?.[1] ?? '';
}

/** Asks for the reason why a criterion is met, and accepts it: both stand in the proof. */
export async function accept(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'accept', 'A criterion of which goal?');
  if (!at) {
    return undefined;
  }
  const seen = await findSeenTree(context, at);
  const criterion = given.criterion ?? (await pickCriterion(context, at));
  if (!criterion) {
    return undefined;
  }
  const reason =
    given.reason ??
    (await askFor(
      `Why is “${plainLine(criterion, 60)}” met? The reason stands in the proof.`,
      'I tried it by hand on…',
      '',
    ));
  if (!reason) {
    return undefined;
  }
  const view = await callGoal(
    context,
    'accept',
    { ...at, ...seen, criterion, reason },
    'Goalproof: accepting…',
  );
  offerToGoOn(context, at, view);
  return view;
}

/** Asks what is wrong with a result, and says no to it: the reason is worked on next. */
export async function reject(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'reject', 'Reject the result of which goal?');
  if (!at) {
    return undefined;
  }
  const seen = await findSeenTree(context, at);
  const reason =
    given.reason ??
    (await askFor(
      'What is wrong with the result? Whoever works on it next is told.',
      'It does not…',
      '',
    ));
  if (!reason) {
    return undefined;
  }
  return callGoal(context, 'reject', { ...at, ...seen, reason }, 'Goalproof: rejecting…');
}

/** Returns the tree that the person sees, so that no word is given for one that came meanwhile. */
async function findSeenTree(context: Context, at: Chosen): Promise<{ tree?: string }> {
  const { tree } = await context.goals.view(at.goal, at.root);
  return tree === null ? {} : { tree };
}

async function pickCriterion(context: Context, at: Chosen): Promise<string | undefined> {
  const view = await context.goals.read(at.goal, at.root);
  const open = view.criteria.filter(isAcceptable);
  if (open.length === 0) {
    void vscode.window.showInformationMessage('No criterion of this goal waits for your word.');
    return undefined;
  }
  if (open.length === 1) {
    return open[0]!.id;
  }
  const items = open.map((one) => ({
    id: one.id,
    label: `$(unverified) ${plainLabel(one.text, 160)}`,
    detail: plainLabel(one.reason, 160),
  }));
  return (await vscode.window.showQuickPick(items, { placeHolder: 'Which criterion?' }))?.id;
}

/** Lets a waiting goal go on; one that ran out of budget is given more first. */
export async function resume(context: Context, given: Given): Promise<GoalView | undefined> {
  const at = await pickGoal(context, given, 'resume', 'Which goal goes on?');
  if (!at) {
    return undefined;
  }
  const view = await context.goals.read(at.goal, at.root);
  const limits: Record<string, number | string> = {};
  if (view.status === 'needs_more_budget' && !given.yes) {
    for (const limit of findLimits(view)) {
      const typed = await askFor(limit.prompt, limit.suggestion, limit.suggestion, limit.check);
      if (typed === undefined) {
        return undefined;
      }
      limits[limit.key] = limit.key === 'usd' ? typed : Number(typed);
    }
  }
  return callGoal(context, 'resume', { ...at, ...limits }, 'Goalproof: going on…');
}

function askFor(
  prompt: string,
  placeHolder: string,
  value: string,
  check: (typed: string) => string | undefined = (typed) =>
    typed.trim() === '' ? 'Say something.' : undefined,
): Thenable<string | undefined> {
  return vscode.window.showInputBox({
    prompt,
    placeHolder,
    value,
    ignoreFocusOut: true,
    validateInput: check,
  });
}

/** Once everything is answered, going on is one click; the goal is not kept waiting for it. */
function offerToGoOn(context: Context, at: Chosen, view: GoalView | undefined): void {
  const verb = view && nextVerb(view);
  if (!verb) {
    return;
  }
  const [button, command] = verb;
  void vscode.window
    .showInformationMessage(`Nothing is open any more for “${plainLine(view.text, 60)}”.`, button)
    .then((chosen) => chosen && vscode.commands.executeCommand(command, at))
    .then(undefined, (error: unknown) => context.output.error(String(error)));
}

function nextVerb(view: GoalView): [string, string] | undefined {
  if (view.questions.length > 0) {
    return undefined;
  }
  if (view.status === 'planned') {
    return ['Execute', 'goalproof.execute'];
  }
  const goesOn = view.next.some((step) => step.startsWith('goalproof resume'));
  return view.status === 'blocked_on_human' && goesOn ? ['Resume', 'goalproof.resume'] : undefined;
}
