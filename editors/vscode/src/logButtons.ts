// Which buttons the title of each open log has: what is possible with its goal now.

import * as vscode from 'vscode';
import type { Goals } from './goals';
import type { LogTarget } from './logTarget';
import { type Action, findActions } from './possible';
import { hears } from './treeModel';

/** For each there is a context key with the logs for which it is possible, `goalproof.tellLogs`. */
const BUTTONS = ['tell', 'answer', 'pause', 'resume', 'cancel'] as const satisfies Action[];

interface Shown {
  uri: vscode.Uri;
  target: LogTarget;
}

export class LogButtons {
  private offering = false;
  private stale = false;

  constructor(
    private readonly goals: Goals,
    private readonly logs: () => Iterable<Shown>,
  ) {}

  /** Sets the keys; what changes while they are set is looked at next. */
  offer(): void {
    this.stale = true;
    if (!this.offering) {
      void this.offerAll();
    }
  }

  private async offerAll(): Promise<void> {
    this.offering = true;
    while (this.stale) {
      this.stale = false;
      const logs = [...this.logs()];
      const actions = await Promise.all(logs.map(({ target }) => this.find(target)));
      for (const button of BUTTONS) {
        const offered = logs.filter((_, at) => actions[at]?.includes(button));
        const value = offered.map(({ uri }) => uri.toString());
        void vscode.commands.executeCommand('setContext', `goalproof.${button}Logs`, value);
      }
    }
    this.offering = false;
  }

  private async find({ root, goal, task }: LogTarget): Promise<Action[]> {
    try {
      const view = await this.goals.view(goal, root);
      const entry = this.goals.find(goal);
      const actions = entry ? findActions(entry.line, view) : [];
      const deaf = task !== undefined && !view.tasks.some((one) => one.id === task && hears(one));
      return actions.filter((action) => action !== 'tell' || !deaf);
    } catch {
      return []; // nothing can be done without a server, and others say so
    }
  }
}
