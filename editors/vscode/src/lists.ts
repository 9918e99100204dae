// Goals, gates and agents as lists to choose from.

import * as vscode from 'vscode';
import type { Context } from './context';
import { plainLabel, showArgv } from './plain';
import { HANDS } from './newGoal';
import { type Given, pickGoal, pickRoot } from './pick';
import type { AgentView, GateView } from './protocol';
import type { UnapprovedGate } from './refusal';
import { approve } from './work';

const STANDINGS = { good: 'pass', note: 'info', bad: 'error' };
/** The workers that start an agent: who chooses an agent gets the best of them. */
const BY_AGENT = ['acp', 'wire', 'cli'];

/** Lists the goals; the chosen one is shown. */
export async function listGoals(context: Context, given: Given): Promise<void> {
  const at = await pickGoal(context, given, undefined, 'Goals of this workspace, newest first');
  if (at) {
    await vscode.commands.executeCommand('goalproof.showGoal', at);
  }
}

/** Lists the gates that a goal would have now; one that is not approved can be. */
export async function showGates(context: Context, given: Given): Promise<void> {
  const root = await pickRoot(given);
  if (root === undefined) {
    return;
  }
  const view = await context.client.request('gates', { root });
  if (view.gates.length + view.passedOver.length === 0) {
    void vscode.window.showInformationMessage(
      'No gate was found. Name your checks in goalproof.toml, or install the tools they need.',
    );
    return;
  }
  const gates = view.gates.map((gate) => ({
    gate: gate as GateView | undefined,
    label: `$(${gate.trusted === false ? 'unlock' : 'shield'}) ${plainLabel(gate.name)}`,
    description: plainLabel(showArgv(gate.argv), 120),
    detail: [
      plainLabel(gate.reason, 160),
      gate.required ? '' : 'optional',
      gate.trusted === false ? 'not approved yet: choose it to approve it' : '',
    ]
      .filter(Boolean)
      .join(' · '),
  }));
  const others = view.passedOver.map((passed) => ({
    gate: undefined,
    label: `$(circle-slash) ${plainLabel(passed.what)}`,
    description: `no gate${passed.folder === '.' ? '' : ` in ${plainLabel(passed.folder)}`}`,
    detail: plainLabel(passed.reason, 200),
  }));
  const items = [...gates, ...others];
  const title = view.configuration
    ? `Gates of ${plainLabel(view.configuration)}`
    : 'Detected gates';
  const chosen = await vscode.window.showQuickPick(items, { title, matchOnDescription: true });
  const gate = chosen?.gate;
  if (gate && gate.trusted === false && hasDigest(gate)) {
    await approve(context, root, [gate]);
  }
}

/** Lists what goals need on this machine; what is to be done about the chosen one can be copied. */
export async function checkMachine(context: Context, given: Given): Promise<void> {
  const root = await pickRoot(given);
  if (root === undefined) {
    return;
  }
  const view = await context.client.request('doctor', { root });
  const items = view.checks.map((check) => ({
    label: `$(${STANDINGS[check.standing]}) ${plainLabel(check.name)}`,
    description: plainLabel(check.said, 200),
    detail: check.next ? `→ ${plainLabel(check.next, 200)}` : '',
    next: check.next ?? '',
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: view.good ? 'Goals can be worked on here' : 'Goals cannot be worked on here yet',
    placeHolder: 'Choose one to copy what to do about it',
    matchOnDescription: true,
  });
  if (chosen?.next) {
    await vscode.env.clipboard.writeText(plainLabel(chosen.next, 1000));
  }
}

function showWorker(name: string, available: boolean): string {
  const known = HANDS.find((hands) => hands.worker === name);
  const icon = known?.icon ?? 'tools';
  return `$(${available ? icon : 'circle-slash'}) ${known?.label ?? plainLabel(name)}`;
}

/** Says what of an agent is here and whether somebody is logged in, or how to get it. */
function describeAgent(agent: AgentView): string {
  const here = (agent.ways ?? []).filter((way) => way.available);
  if (here.length === 0) {
    return agent.ways?.at(-1)?.missing || showArgv(agent.argv);
  }
  const login = agent.login ? 'logged in' : agent.logIn && `no login seen: ${agent.logIn}`;
  return [here[0]?.package, `by ${here[0]?.worker}`, login].filter(Boolean).join(' · ');
}

function hasDigest(gate: GateView): gate is GateView & UnapprovedGate {
  return typeof gate.digest === 'string';
}

/** Lists who can work; the chosen one works on new goals in this workspace. */
export async function showAgents(context: Context, given: Given): Promise<void> {
  const root = await pickRoot(given);
  if (root === undefined) {
    return;
  }
  const view = await context.client.request('agents', { root });
  const ask = {
    label: '$(comment-discussion) Ask each time',
    description: '',
    detail: '',
    available: true,
    worker: '',
    agent: '',
  };
  const agents = (view.agents ?? []).map((agent) => ({
    label: `$(${agent.available ? 'hubot' : 'circle-slash'}) ${plainLabel(agent.title || agent.name)}`,
    description: agent.available ? plainLabel(agent.path ?? '', 120) : 'not installed',
    detail: plainLabel(describeAgent(agent), 200),
    available: agent.available,
    worker: '',
    agent: agent.name,
  }));
  const workers = view.workers
    .filter((worker) => !BY_AGENT.includes(worker.name))
    .map((worker) => ({
      label: showWorker(worker.name, worker.available),
      description: plainLabel(worker.title, 120),
      detail: '',
      available: worker.available,
      worker: worker.name,
      agent: '',
    }));
  const chosen = await vscode.window.showQuickPick([...agents, ...workers, ask], {
    title: 'Who works on new goals in this workspace',
    placeHolder: plainLabel(view.note, 200),
    matchOnDescription: true,
  });
  if (chosen?.available) {
    const settings = vscode.workspace.getConfiguration('goalproof');
    const { Workspace } = vscode.ConfigurationTarget;
    await settings.update('worker', chosen.worker || undefined, Workspace);
    await settings.update('agent', chosen.agent || undefined, Workspace);
  }
}
