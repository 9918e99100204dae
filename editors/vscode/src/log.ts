// One output channel that follows the log of a goal, a task or a gate while it is written.

import * as vscode from 'vscode';
import type { GoalClient } from './client';
import { LogFeed } from './logFeed';
import { plainText } from './plain';

import { readRefusal } from './refusal';

const PAUSE_MS = 500;

export interface LogTarget {
  root: string;
  goal: string;
  task?: string;
  gate?: string;
}

export class LogFollower implements vscode.Disposable {
  private readonly channel = vscode.window.createOutputChannel('Goalproof Log');
  private stop: vscode.CancellationTokenSource | undefined;

  constructor(private readonly client: GoalClient) {}

  /** Shows a log and follows it until it ends or another one is followed. */
  follow(target: LogTarget): void {
    this.stop?.cancel();
    const stop = new vscode.CancellationTokenSource();
    this.stop = stop;
    this.channel.clear();
    this.channel.show(true);
    void this.read(target, stop.token).catch((error: unknown) => {
      if (!stop.token.isCancellationRequested) {
        this.channel.appendLine(plainText(readRefusal(error).message));
      }
    });
  }

  dispose(): void {
    this.stop?.cancel();
    this.channel.dispose();
  }

  private async read(target: LogTarget, token: vscode.CancellationToken): Promise<void> {
    const feed = new LogFeed();
    while (!token.isCancellationRequested) {
      const params = { ...target, offset: feed.offset };
      const view = await this.client.request('log', params, token);
      const step = feed.take(view);
      if (token.isCancellationRequested) {
        return;
      }
      if (step.text) {
        this.channel.append(plainText(step.text));
      }
      if (step.again || step.text) {
        continue; // an answer holds a part of what there is
      }
      const named = target.task !== undefined || target.gate !== undefined;
      if (!step.live && (named || !view.running)) {
        this.channel.appendLine('── end ──');
        return;
      }
      await pause(token);
    }
  }
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
