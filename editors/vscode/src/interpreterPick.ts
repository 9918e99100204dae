// A person chooses the Python that runs the server.

import * as vscode from 'vscode';
import type { Context } from './context';
import { tryAll } from './server';

const OTHER = '$(file-directory) Browse…';
const BACK = '$(discard) Choose automatically';

/** Asks for an interpreter and remembers it; the change of the setting starts the server again. */
export async function selectInterpreter(context: Context): Promise<void> {
  const settings = vscode.workspace.getConfiguration('goalproof');
  const chosen = await vscode.window.showQuickPick(await listItems(context), {
    title: 'Python for the Goalproof server',
    placeHolder: 'Python 3.11 or later',
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (!chosen) {
    return;
  }
  const python = chosen.label === OTHER ? await browse() : chosen.python;
  if (python === undefined) {
    return;
  }
  const before = settings.get('interpreter', '');
  await settings.update('interpreter', python || undefined, vscode.ConfigurationTarget.Global);
  if (before === python) {
    await context.client.restart();
  }
}

type Item = vscode.QuickPickItem & { python?: string };

async function listItems(context: Context): Promise<Item[]> {
  const tried = await tryAll(context.extensionPath);
  const found = tried.flatMap(({ candidate, answer, fault }): Item[] =>
    answer
      ? [
          {
            label: `$(${fault ? 'error' : 'pass'}) Python ${answer.version.join('.')}`,
            description: answer.executable,
            detail: fault ? `${candidate.source}: ${fault}` : candidate.source,
            python: answer.executable,
          },
        ]
      : [],
  );
  const seen = new Set<string>();
  const items = found.filter(({ description = '' }) => {
    const fresh = !seen.has(description);
    seen.add(description);
    return fresh;
  });
  return [...items, { label: OTHER }, { label: BACK, python: '' }];
}

async function browse(): Promise<string | undefined> {
  const found = await vscode.window.showOpenDialog({
    title: 'The Python that runs the Goalproof server',
    openLabel: 'Use This Python',
    canSelectMany: false,
  });
  return found?.[0]?.fsPath;
}
