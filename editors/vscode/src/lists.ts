// Goals, gates and agents as lists to choose from.

import * as vscode from 'vscode';
import type { Context } from './context';
import { plainLabel, showArgv } from './plain';
import { HANDS } from './newGoal';
import { type Given, pickGoal, pickRoot } from './pick';
import type { GateView } from './protocol';
import type { UnapprovedGate } from './refusal';
import { approve } from './work';

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

function showWorker(name: string, available: boolean): string {
  const known = HANDS.find((hands) => hands.worker === name);
  const icon = known?.icon ?? 'tools';
  return `$(${available ? icon : 'circle-slash'}) ${known?.label ?? plainLabel(name)}`;
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
    detail: plainLabel(showArgv(agent.argv), 160),
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
