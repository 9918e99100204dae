// A new goal: what is to be true, who does it, and whether it starts at once.

import type { AgentsView, GoalView, Position } from './protocol';
import type { Worker } from './wire';
import * as vscode from 'vscode';
import type { Context } from './context';
import { composeGoal, suggestGoal, type Place } from './goalText';
import { listAgents } from './agents';
import { plainLine } from './plain';
import { type Given, pickRoot } from './pick';
import { findReviewer, openPlan, planByAgent } from './plans';
import { callGoal } from './work';

/** What a caller may have decided already; what is missing is asked. */
export interface NewGoal extends Given {
  worker?: Worker;
  agent?: string;
  mode?: Mode;
}

/** How a goal begins: at once, or with its plan; an agent may make that. */
type Mode = 'run' | 'plan' | 'planByAgent';

interface Hands {
  worker?: Worker;
  agent?: string;
}

/** Asks for a goal and starts or plans it. */
export async function newGoal(
  context: Context,
  given: NewGoal,
  suggestion = '',
  place?: Place,
): Promise<GoalView | undefined> {
  const root = await pickRoot(given);
  if (root === undefined) {
    return undefined;
  }
  const text = given.yes ? given.text : await askText(given.text ?? suggestion);
  if (!text) {
    return undefined;
  }
  const hands = given.worker || given.agent ? pickHands(given) : await askHands(context, root);
  if (!hands) {
    return undefined;
  }
  const mode = given.mode ?? (await askMode(text, hands));
  if (!mode) {
    return undefined;
  }
  const words = place ? composeGoal(text, place) : text;
  const params = { root, text: words, ...hands, ...findReviewer(root) };
  if (mode === 'run') {
    return callGoal(context, 'run', params, 'Goalproof: starting the goal…');
  }
  const view = await callGoal(context, 'plan', params, 'Goalproof: planning…');
  if (view?.status !== 'planned') {
    return view;
  }
  const at = { root, goal: view.id };
  if (mode === 'planByAgent') {
    return planByAgent(context, { ...at, agent: hands.agent });
  }
  await openPlan(context, at);
  return view;
}

function pickHands(given: Hands): Hands {
  return {
    ...(given.worker ? { worker: given.worker } : {}),
    ...(given.agent ? { agent: given.agent } : {}),
  };
}

async function askText(value: string): Promise<string | undefined> {
  const text = await vscode.window.showInputBox({
    title: 'New goal',
    prompt: 'What is to be true afterwards? Your files stay as they are until you apply it.',
    placeHolder: 'Fix the flaky login test',
    value,
    ignoreFocusOut: true,
    validateInput: (typed) => (typed.trim() === '' ? 'Say it in a sentence.' : undefined),
  });
  return text?.trim();
}

/** Asks who works on it, where more than one can and no setting says it. */
async function askHands(context: Context, root: string): Promise<Hands | undefined> {
  const uri = vscode.Uri.parse(root, true);
  const settings = vscode.workspace.getConfiguration('goalproof', uri);
  const worker = settings.get<Worker | ''>('worker', '');
  const agent = settings.get('agent', '').trim();
  if (worker || agent) {
    return pickHands({ worker: worker || undefined, agent });
  }
  const items = listHands(await context.client.request('agents', { root }));
  if (items.length < 2) {
    return {};
  }
  const chosen = await vscode.window.showQuickPick(items, {
    title: 'New goal',
    placeHolder: 'Who works on it?',
    ignoreFocusOut: true,
  });
  return chosen?.hands;
}

export const HANDS: readonly {
  worker: Worker;
  icon: string;
  label: string;
  description: string;
}[] = [
  {
    worker: 'recipe',
    icon: 'tools',
    label: 'No agent',
    description: 'the gates’ own fixes and deterministic steps',
  },
  {
    worker: 'manual',
    icon: 'person',
    label: 'I do it myself',
    description: 'in a folder of the task’s own',
  },
];

/** Returns the workers that can do free text: agents that are installed, then the others. */
function listHands(view: AgentsView): (vscode.QuickPickItem & { hands: Hands })[] {
  const agents = listAgents(view).map(({ agent, ...row }) => ({ ...row, hands: { agent } }));
  const there = view.workers.filter((worker) => worker.available).map((worker) => worker.name);
  const others = HANDS.filter(({ worker }) => there.includes(worker)).map(
    ({ worker, icon, label, description }) => ({
      label: `$(${icon}) ${label}`,
      description,
      hands: { worker },
    }),
  );
  return [...agents, ...others];
}

async function askMode(text: string, hands: Hands): Promise<Mode | undefined> {
  const modes: (vscode.QuickPickItem & { mode: Mode })[] = [
    {
      label: '$(play) Run now',
      description: 'plan, work and judge; you see the change before it is applied',
      mode: 'run',
    },
    {
      label: '$(edit) Plan first',
      description: 'read and edit the plan before anything works',
      mode: 'plan',
    },
    {
      label: '$(hubot) Let an agent plan first',
      description: 'it reads the repository and changes nothing; then you read and edit its plan',
      mode: 'planByAgent',
    },
  ];
  const items = modes.filter(({ mode }) => mode !== 'planByAgent' || hands.agent !== undefined);
  const chosen = await vscode.window.showQuickPick(items, {
    title: plainLine(text, 80),
    placeHolder: 'How does it begin?',
    ignoreFocusOut: true,
  });
  return chosen?.mode;
}

/** A new goal from what is selected in the active editor. */
export async function newGoalFromSelection(context: Context): Promise<GoalView | undefined> {
  const editor = vscode.window.activeTextEditor;
  if (!editor) {
    void vscode.window.showInformationMessage('Select the text that the goal is about first.');
    return undefined;
  }
  const { document, selection } = editor;
  return newGoalAt(context, document.uri, selection, '');
}

/** What the server's code action hands over. */
export interface From extends NewGoal {
  uri?: string;
  range?: { start: Position; end: Position };
}

/** A new goal from a code action: a problem's words are suggested, a selection is only named. */
export async function newGoalFrom(context: Context, given: From): Promise<GoalView | undefined> {
  const { uri, range, text = '', ...rest } = given;
  if (!uri || !range) {
    return newGoal(context, rest, text);
  }
  const { start, end } = range;
  const at = new vscode.Range(start.line, start.character, end.line, end.character);
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
  const isSelection = text !== '' && document.getText(at).trim().startsWith(text);
  const suggestion = isSelection ? '' : suggestGoal(text);
  return newGoalAt(context, document.uri, at, given.yes ? text : suggestion, rest);
}

function newGoalAt(
  context: Context,
  uri: vscode.Uri,
  range: vscode.Range,
  suggestion: string,
  given: NewGoal = {},
): Promise<GoalView | undefined> {
  const folder = vscode.workspace.getWorkspaceFolder(uri);
  const root = given.root ?? folder?.uri.toString();
  const endsBefore = range.end.character === 0 && range.end.line > range.start.line;
  const place = {
    path: vscode.workspace.asRelativePath(uri, false),
    firstLine: range.start.line,
    lastLine: endsBefore ? range.end.line - 1 : range.end.line,
  };
  return newGoal(
    context,
    { ...given, root, text: given.yes ? suggestion : undefined },
    suggestion,
    place,
  );
}
