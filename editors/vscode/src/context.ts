// What the commands work with; made once, when the extension is activated.

import type * as vscode from 'vscode';
import type { GoalClient } from './client';
import type { Documents } from './documents';
import type { Goals } from './goals';
import type { Logs } from './log';

export interface Context {
  client: GoalClient;
  goals: Goals;
  documents: Documents;
  logs: Logs;
  output: vscode.LogOutputChannel;
  extensionPath: string;
}
