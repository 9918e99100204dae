// Goals that were moved, copied or came from elsewhere: the person may make them their own.

import * as vscode from 'vscode';
import type { Context } from './context';
import { type Given, pickRoot } from './pick';

/** Lets goals be made in a repository whose store came from another place. */
export async function adopt(context: Context, given: Given): Promise<void> {
  const root = await pickRoot(given);
  if (root === undefined) {
    return;
  }
  const { goals, elsewhere } = await context.client.request('adopt', { root });
  const rest =
    elsewhere > 0 ? ` ${elsewhere} of the ${goals} goals were not made here: look at them only.` : '';
  void vscode.window.showInformationMessage(`New goals can be made here.${rest}`);
  await context.goals.refresh();
}
