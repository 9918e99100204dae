// The tree as plain values: goals, and in each its questions, tasks, criteria and gates.

import type { Entry } from './book';
import { CRITERION_LOOKS, GOAL_LOOKS, type Look, TASK_LOOKS, findLook } from './look';
import { plainLabel, plainLine, plainText, showArgv } from './plain';
import { findActions, isAcceptable } from './possible';
import type {
  AskView,
  CriterionView,
  GateView,
  GoalView,
  QuestionView,
  TaskView,
} from './protocol';
import { showSpend } from './spend';

/** What a command is given when a person picks a node. */
export interface Target {
  root: string;
  goal: string;
  task?: string;
  gate?: string;
  criterion?: string;
  question?: string;
}

export interface Node {
  /** Unique and stable, so that what was opened stays open. */
  id: string;
  kind: 'folder' | 'goal' | 'group' | 'task' | 'gate' | 'criterion' | 'question' | 'note';
  label: string;
  description: string;
  tooltip: string;
  look: Look;
  /** Words that menus look for. */
  context: string;
  /** Undefined for a goal: it is asked for when it is opened. */
  children?: Node[];
  collapsed?: boolean;
  target?: Target;
  root: string;
}

/** Returns the node of a goal, without its children. */
export function makeGoalNode(entry: Entry): Node {
  const { line, view, progress, root } = entry;
  const actions = findActions(line, view);
  const look = findLook(GOAL_LOOKS, line.status);
  const count =
    line.status === 'running' && progress
      ? `${progress.phase} ${progress.done}/${progress.total}`
      : look.word;
  const tooltip = [
    plainLine(line.text, 500) || line.id,
    line.id,
    line.damage ? `Damaged: ${plainLine(line.damage, 500)}` : look.word,
    line.madeHere ? '' : 'Not made here: nothing that it says was seen on this machine.',
    line.notice ? plainLine(line.notice, 500) : '',
    line.blocker ? plainLine(line.blocker, 500) : '',
    progress ? showSpend(progress.spend) : '',
  ];
  return {
    id: `${root}#${line.id}`,
    kind: 'goal',
    label: plainLabel(line.text, 120) || line.id,
    description: line.damage && line.status !== 'damaged' ? `${count} · damaged` : count,
    tooltip: tooltip.filter((part) => part !== '').join('\n'),
    look,
    context: ['goal', line.status, ...actions].join(' '),
    target: { root, goal: line.id },
    root,
  };
}

/** Returns what is under a goal. */
export function makeChildren(root: string, view: GoalView): Node[] {
  const at = { root, goal: view.id };
  const done = view.tasks.filter((task) => task.status === 'done').length;
  const verified = view.criteria.filter((criterion) => criterion.state === 'verified').length;
  const met = view.gates.filter((gate) => gate.met === true).length;
  const groups = [
    group(
      at,
      'tasks',
      'Tasks',
      done,
      view.tasks.map((task) => taskNode(at, task)),
    ),
    group(
      at,
      'criteria',
      'Criteria',
      verified,
      view.criteria.map((criterion) => criterionNode(at, criterion)),
    ),
    group(
      at,
      'gates',
      'Gates',
      met,
      view.gates.map((gate) => gateNode(at, gate)),
    ),
  ];
  return [
    ...view.questions.map((question) => questionNode(at, question)),
    ...view.asks.map((ask) => askNode(at, ask)),
    ...(view.blocker ? [note(at, 'blocker', view.blocker)] : []),
    ...groups.filter((one) => one.children?.length),
  ];
}

/** Returns a node that only says something. */
export function note(at: Target, name: string, text: string): Node {
  return {
    id: `${at.root}#${at.goal}/${name}`,
    kind: 'note',
    label: plainLabel(text, 160),
    description: '',
    tooltip: plainText(text),
    look: { icon: 'info', word: '' },
    context: 'note',
    children: [],
    root: at.root,
  };
}

function group(at: Target, name: string, title: string, done: number, children: Node[]): Node {
  return {
    id: `${at.root}#${at.goal}/${name}`,
    kind: 'group',
    label: title,
    description: `${done}/${children.length}`,
    tooltip: '',
    look: { icon: '', word: '' },
    context: 'group',
    children,
    root: at.root,
  };
}

/** Whether the agent that works on a task can be told something. */
export function hears(task: TaskView): boolean {
  return task.status === 'running' && ['acp', 'wire'].includes(task.worker);
}

function taskNode(at: Target, task: TaskView): Node {
  const look = findLook(TASK_LOOKS, task.status);
  const who = task.agent ? `${task.worker} (${task.agent})` : task.worker;
  const waits = Boolean(task.folder) && task.status === 'running';
  const context = ['task', task.status];
  if (task.status === 'done' && task.files.length > 0) {
    context.push('taskDiff');
  }
  if (task.hasLog) {
    context.push('taskLog');
  }
  if (hears(task)) {
    context.push('taskTell');
  }
  if (task.folder) {
    context.push('taskFolder', ...(waits ? ['taskSubmit'] : []));
  }
  const tooltip = [
    plainLine(task.title, 500),
    `${task.id} · ${plainLine(who)} · ${look.word}, attempt ${task.attempts}`,
    task.deps.length > 0 ? `after ${task.deps.join(', ')}` : '',
    task.reason ? plainText(task.reason) : '',
    task.folder ? `Its folder: ${plainLine(task.folder, 500)}` : '',
    ...task.files.map((file) => plainLine(file, 300)),
  ];
  return {
    id: `${at.root}#${at.goal}/task/${task.id}`,
    kind: 'task',
    label: plainLabel(task.title, 120) || task.id,
    description: waits ? 'waits for you' : plainLabel(task.agent || task.reason || '', 60),
    tooltip: tooltip.filter((part) => part !== '').join('\n'),
    look: waits ? { icon: 'person', color: 'list.warningForeground', word: '' } : look,
    context: context.join(' '),
    children: [],
    target: { ...at, task: task.id },
    root: at.root,
  };
}

function criterionNode(at: Target, criterion: CriterionView): Node {
  const look = findLook(CRITERION_LOOKS, criterion.state);
  const context = isAcceptable(criterion) ? 'criterion criterionAccept' : 'criterion';
  const tooltip = [
    plainLine(criterion.text, 500),
    `${criterion.id} · ${criterion.evidence}${criterion.gate ? ` by gate ${criterion.gate}` : ''} · ${look.word}`,
    plainText(criterion.reason),
  ];
  return {
    id: `${at.root}#${at.goal}/criterion/${criterion.id}`,
    kind: 'criterion',
    label: plainLabel(criterion.text, 120) || criterion.id,
    description: look.word,
    tooltip: tooltip.filter((part) => part !== '').join('\n'),
    look,
    context,
    children: [],
    target: { ...at, criterion: criterion.id },
    root: at.root,
  };
}

function gateNode(at: Target, gate: GateView): Node {
  const tooltip = [
    showArgv(gate.argv),
    plainLine(gate.reason, 500),
    gate.bar ? `bar: ${gate.bar}` : '',
    plainText(gate.verdict),
    ...gate.gaps.map((gap) => `gap: ${plainLine(gap, 300)}`),
    ...(gate.flaky ?? []).map((test) => `flaky: ${plainLine(test, 300)}`),
    ...(gate.quarantined ?? []).map((test) => `quarantined: ${plainLine(test, 300)}`),
  ];
  return {
    id: `${at.root}#${at.goal}/gate/${gate.name}`,
    kind: 'gate',
    label: plainLabel(gate.name),
    description: showOutcome(gate),
    tooltip: tooltip.filter((part) => part !== '').join('\n'),
    look: gateLook(gate),
    context: gate.baseline || gate.outcome ? 'gate taskLog' : 'gate',
    children: [],
    target: { ...at, gate: gate.name },
    root: at.root,
  };
}

function showOutcome(gate: GateView): string {
  const optional = gate.required ? '' : ' (optional)';
  if (gate.outcome) {
    return `${gate.baseline ?? '?'} → ${gate.outcome}${optional}`;
  }
  return `${gate.baseline ? `${gate.baseline} before` : ''}${optional}`;
}

function gateLook(gate: GateView): Look {
  if (gate.met === true) {
    return { icon: 'pass', color: 'testing.iconPassed', word: 'met' };
  }
  if (gate.met === false) {
    return { icon: 'error', color: 'testing.iconFailed', word: 'not met' };
  }
  return { icon: 'shield', word: 'not judged' };
}

function askNode(at: Target, ask: AskView): Node {
  return {
    id: `${at.root}#${at.goal}/ask/${ask.key}`,
    kind: 'question',
    label: plainLabel(ask.text, 160),
    description: ask.task,
    tooltip: plainText(ask.detail || ask.text),
    look: { icon: 'question', color: 'list.warningForeground', word: 'asks' },
    context: 'question answer',
    children: [],
    target: { ...at, question: ask.key },
    root: at.root,
  };
}

function questionNode(at: Target, question: QuestionView): Node {
  return {
    id: `${at.root}#${at.goal}/question/${question.id}`,
    kind: 'question',
    label: plainLabel(question.text, 160),
    description: '',
    tooltip: plainText(question.text),
    look: { icon: 'question', color: 'list.warningForeground', word: 'asks' },
    context: 'question answer',
    children: [],
    target: { ...at, question: question.id },
    root: at.root,
  };
}
