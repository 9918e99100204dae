// Logs of goals, tasks and gates as read-only documents that grow while they are written.
//
// Not an output channel: over a document there is room for what can be done about the goal (a word to
// its agent, allow, pause), several logs are open side by side, and it is read with what editors have.

import * as vscode from 'vscode';
import type { GoalClient } from './client';
import type { Goals } from './goals';
import { LogFeed } from './logFeed';
import { LogButtons } from './logButtons';
import { LOG_SCHEME, type LogTarget, makeLogUri, readLogUri } from './logTarget';
import { Follow, LogText } from './logText';
import { plainText } from './plain';
import { readRefusal } from './refusal';

const PAUSE_MS = 500;
/** Milliseconds between two changes of a document: the editor takes over all of its text with each. */
const REDRAW_MS = 200;

/** One log that is open. */
interface Open {
  uri: vscode.Uri;
  target: LogTarget;
  text: LogText;
  follow: Follow;
  /** Ends the reading; undefined when it has come to the end. */
  reading: vscode.CancellationTokenSource | undefined;
  /** How the goal stood when that was last looked at. */
  status: string;
  /** Whether the last reading was refused: nothing had been printed yet, say. */
  refused: boolean;
  timer?: NodeJS.Timeout;
}

export class Logs implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly open = new Map<string, Open>();
  private readonly subscriptions: vscode.Disposable[];
  private readonly buttons: LogButtons;
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly client: GoalClient,
    private readonly goals: Goals,
  ) {
    this.buttons = new LogButtons(goals, () => this.open.values());
    this.subscriptions = [
      vscode.workspace.registerTextDocumentContentProvider(LOG_SCHEME, this),
      vscode.window.tabGroups.onDidChangeTabs(({ opened, closed }) => {
        opened.forEach((tab) => this.onTab(tab));
        closed.forEach((tab) => this.onTab(tab));
      }),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.onGrown(document)),
      vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach(this.reveal)),
      vscode.window.onDidChangeTextEditorVisibleRanges(({ textEditor, visibleRanges }) => {
        const [first, last] = [visibleRanges[0], visibleRanges.at(-1)];
        if (first && last) {
          this.find(textEditor.document.uri)?.follow.see(
            first.start.line,
            last.end.line,
            textEditor.document.lineCount,
          );
        }
      }),
      goals.onDidChange((goal) => this.onGoal(goal)),
    ];
  }

  /** Shows a log and follows it until it ends or is closed. */
  async follow(target: LogTarget): Promise<void> {
    const { text } = await this.goals.view(target.goal, target.root);
    const uri = makeLogUri(target, target.gate ?? target.task ?? text);
    const known = this.find(uri);
    if (known && !known.reading) {
      known.text.clear();
      this.read(known);
    }
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { preview: false });
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.begin(uri)?.text.toString() ?? '';
  }

  dispose(): void {
    for (const log of this.open.values()) {
      this.end(log);
    }
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
    this.changed.dispose();
  }

  private find(uri: vscode.Uri): Open | undefined {
    return this.open.get(uri.toString());
  }

  /** Returns the log of a URI, which is read from now on. */
  private begin(uri: vscode.Uri): Open | undefined {
    const target = readLogUri(uri);
    const known = this.find(uri);
    if (known || !target) {
      return known;
    }
    const text = new LogText(nameCommand(target));
    const status = this.goals.find(target.goal)?.line.status ?? '';
    const follow = new Follow();
    const log: Open = { uri, target, text, follow, reading: undefined, status, refused: false };
    this.open.set(uri.toString(), log);
    this.read(log);
    this.buttons.offer();
    return log;
  }

  private end(log: Open): void {
    log.reading?.cancel();
    clearTimeout(log.timer);
    this.open.delete(log.uri.toString());
  }

  /** A document outlives its tab for a while: a log is read while a tab shows it. */
  private onTab({ input }: vscode.Tab): void {
    if (!(input instanceof vscode.TabInputText) || input.uri.scheme !== LOG_SCHEME) {
      return;
    }
    const key = input.uri.toString();
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    if (tabs.some((tab) => tab.input instanceof vscode.TabInputText && isAt(tab.input.uri, key))) {
      this.begin(input.uri);
      return;
    }
    const log = this.find(input.uri);
    if (log) {
      this.end(log);
      this.buttons.offer();
    }
  }

  private onGrown(document: vscode.TextDocument): void {
    if (document.uri.scheme === LOG_SCHEME) {
      this.find(document.uri)?.follow.grow();
      const shown = vscode.window.visibleTextEditors.filter((one) => one.document === document);
      shown.forEach(this.reveal);
    }
  }

  private readonly reveal = (editor: vscode.TextEditor): void => {
    const { document } = editor;
    if (this.find(document.uri)?.follow.on) {
      const end = document.lineAt(document.lineCount - 1).range;
      editor.revealRange(end);
    }
  };

  private onGoal(goal: string | undefined): void {
    const about = [...this.open.values()].filter(
      ({ target }) => goal === undefined || target.goal === goal,
    );
    for (const log of about) {
      const status = this.goals.find(log.target.goal)?.line.status ?? '';
      const goesOn = log.refused || log.status !== 'running'; // it was paused, say
      if (status === 'running' && goesOn && !log.reading) {
        if (log.refused || log.target.task || log.target.gate) {
          log.text.clear();
        }
        this.read(log);
      }
      log.status = status;
    }
    if (about.length > 0) {
      this.buttons.offer();
    }
  }

  private read(log: Open): void {
    const reading = new vscode.CancellationTokenSource();
    log.reading = reading;
    log.refused = false;
    void this.readOn(log, reading.token)
      .catch((error: unknown) => {
        log.refused = true;
        log.text.appendLine(plainText(readRefusal(error).message));
      })
      .finally(() => {
        log.reading = undefined;
        if (!reading.token.isCancellationRequested) {
          this.redraw(log);
        }
      });
  }

  private async readOn(log: Open, token: vscode.CancellationToken): Promise<void> {
    const { target, text } = log;
    const feed = new LogFeed();
    while (!token.isCancellationRequested) {
      const params = { ...target, offset: feed.offset };
      const view = await this.client.request('log', params, token);
      const step = feed.take(view);
      if (token.isCancellationRequested) {
        return;
      }
      if (step.text) {
        text.append(plainText(step.text));
        this.redraw(log);
      }
      if (step.again || step.text) {
        continue; // an answer holds a part of what there is
      }
      const named = target.task !== undefined || target.gate !== undefined;
      if (!step.live && (named || !view.running)) {
        text.appendLine('── end ──');
        return;
      }
      await pause(token);
    }
  }

  private redraw(log: Open): void {
    log.timer ??= setTimeout(() => {
      log.timer = undefined;
      this.changed.fire(log.uri);
    }, REDRAW_MS);
  }
}

/** Returns what prints a log on the command line. */
function nameCommand({ goal, task, gate }: LogTarget): string {
  const words = [goal, ...(task ? ['--task', task] : []), ...(gate ? ['--gate', gate] : [])];
  return `\`goalproof log ${words.join(' ')}\``;
}

function isAt(uri: vscode.Uri, key: string): boolean {
  return uri.toString() === key;
}

function pause(token: vscode.CancellationToken): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, PAUSE_MS);
    const cancelled = token.onCancellationRequested(done);
    function done(): void {
      clearTimeout(timer);
      cancelled.dispose();
      resolve();
    }
  });
}
