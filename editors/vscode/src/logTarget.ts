// Which log a document shows; its URI carries it.

import * as vscode from 'vscode';
import { plainLine } from './plain';

export const LOG_SCHEME = 'goalproof-log';

export interface LogTarget {
  root: string;
  goal: string;
  task?: string;
  gate?: string;
}

/** Returns the URI of a log; `name` is what its tab says. */
export function makeLogUri(target: LogTarget, name: string): vscode.Uri {
  const plain = plainLine(name, 60)
    .replace(/[/\\?#%*:|"<>]/g, ' ')
    .trim();
  const path = `/${plain || 'goal'}.log`;
  return vscode.Uri.from({ scheme: LOG_SCHEME, path, query: JSON.stringify(target) });
}

/** Reads the URI of a log.  Returns undefined for one that is not ours. */
export function readLogUri(uri: vscode.Uri): LogTarget | undefined {
  try {
    const target: unknown = JSON.parse(uri.query);
    const fits = typeof target === 'object' && target !== null && 'goal' in target;
    return uri.scheme === LOG_SCHEME && fits ? (target as LogTarget) : undefined;
  } catch {
    return undefined;
  }
}
