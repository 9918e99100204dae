// The connection to the server: started, watched, started again, and never in the way of a command.

import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  type ExecuteCommandSignature,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
} from 'vscode-languageclient/node';
import { Crashes } from './crashes';
import { type GoalProgress, METHODS } from './protocol';
import { type Launch, ServerNotFound, findServer } from './server';
import { findMismatch } from './version';
import type { Operation, Params, Result } from './wire';

export type ServerState = 'starting' | 'ready' | 'failed' | 'stopped';

/** The palette's commands that the server may put into its code actions. */
const CLIENT_COMMANDS = ['goalproof.newGoalFrom', 'goalproof.accept'];

const STOP_MS = 4_000;
const AGAIN_MS = 500;

/** The person sees what matters from us; the library's own pop-ups would say it twice. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export type CommandMiddleware = (
  command: string,
  args: unknown[],
  next: ExecuteCommandSignature,
) => vscode.ProviderResult<unknown>;

export class GoalClient implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly progressed = new vscode.EventEmitter<GoalProgress>();
  private readonly crashes = new Crashes();
  private client: QuietClient | undefined;
  private again: NodeJS.Timeout | undefined;
  /** Counts starts, so that what belongs to an earlier one is dropped. */
  private turn = 0;
  /** The last start whose server ended by itself. */
  private ended = 0;
  private now: ServerState = 'starting';
  private told = '';
  /** Starting and stopping, one after the other. */
  private queue: Promise<void> = Promise.resolve();

  /** Fires when `state` or `words` changed. */
  readonly onDidChange = this.changed.event;
  readonly onProgress = this.progressed.event;
  intercept: CommandMiddleware | undefined;

  constructor(
    private readonly extension: vscode.Extension<unknown>,
    private readonly output: vscode.LogOutputChannel,
  ) {}

  get state(): ServerState {
    return this.now;
  }

  /** How the server was started, or why it was not. */
  get words(): string {
    return this.told;
  }

  /** The process id of the server, while there is one. */
  get pid(): number | undefined {
    return this.client?.serverProcess?.pid;
  }

  /** Starts the server.  Never rejects: what went wrong is the state, the log and a message. */
  start(): Promise<void> {
    return this.enqueue(async () => {
      await this.end();
      await this.begin();
    });
  }

  /** Starts the server again, with a clean record. */
  restart(): Promise<void> {
    this.crashes.forget();
    return this.start();
  }

  stop(): Promise<void> {
    return this.enqueue(async () => {
      await this.end();
      this.become('stopped', 'stopped');
    });
  }

  /** Carries out an operation of the server.  Rejects with what the server refuses. */
  async request<O extends Operation>(
    operation: O,
    params: Params<O>,
    token?: vscode.CancellationToken,
  ): Promise<Result<O>> {
    const given = { command: `goal.${operation}`, arguments: [params] };
    return this.send<Result<O>>('workspace/executeCommand', given, token);
  }

  /** Sends a request.  Rejects while no server runs. */
  async send<T>(
    method: string,
    params: Record<string, unknown>,
    token?: vscode.CancellationToken,
  ): Promise<T> {
    const client = this.client;
    if (!client || this.now !== 'ready') {
      throw new Error('The Goalproof server is not running. Run “Goalproof: Restart Server”.');
    }
    return token
      ? client.sendRequest<T>(method, params, token)
      : client.sendRequest<T>(method, params);
  }

  /** Tells the server that the person trusts the workspace now. */
  async trust(): Promise<void> {
    if (this.client && this.now === 'ready') {
      await this.client.sendNotification(METHODS.trust, { trusted: true });
    }
  }

  dispose(): void {
    clearTimeout(this.again);
    this.changed.dispose();
    this.progressed.dispose();
  }

  private enqueue(work: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(work).catch((error: unknown) => {
      this.output.error(`The server could not be started or stopped: ${String(error)}`);
      this.become('failed', 'it could not be started');
    });
    return this.queue;
  }

  private async begin(): Promise<void> {
    const turn = ++this.turn;
    this.become('starting', 'starting');
    let launch: Launch;
    try {
      launch = await findServer(this.extension.extensionPath);
    } catch (error) {
      this.explain(error);
      return;
    }
    this.output.info(`Starting ${launch.words}: ${launch.command} ${launch.args.join(' ')}`);
    const client = this.make(launch, turn);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.output.error(`The server did not start: ${String(error)}`);
      this.onEnded(turn);
      return;
    }
    const server = client.initializeResult?.serverInfo;
    const version: unknown = (this.extension.packageJSON as { version?: unknown }).version;
    const misfit = findMismatch(String(version), server?.version);
    this.become('ready', `${launch.words}${misfit ? ` — ${misfit}` : ''}`);
    if (misfit) {
      this.output.warn(misfit);
      this.offer(vscode.window.showWarningMessage(misfit, 'Select Interpreter', 'Show Log'));
    }
  }

  private make(launch: Launch, turn: number): QuietClient {
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: 'file' }],
      outputChannel: this.output,
      traceOutputChannel: this.output,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: {
        trusted: vscode.workspace.isTrusted,
        clientCommands: CLIENT_COMMANDS,
      },
      initializationFailedHandler: () => false,
      synchronize: { configurationSection: 'goalproof' },
      progressOnInitialization: false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.onEnded(turn);
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      middleware: {
        executeCommand: (command, args, next) =>
          this.intercept ? this.intercept(command, args as unknown[], next) : next(command, args),
      },
    };
    const { command, args, cwd } = launch;
    const server = { command, args, options: { cwd } };
    const client = new QuietClient('goalproof', 'Goalproof', server, options);
    client.onNotification(METHODS.progress, (told: GoalProgress) => this.progressed.fire(told));
    return client;
  }

  /** The server ended by itself: start it again, unless that happened too often. */
  private onEnded(turn: number): void {
    if (turn !== this.turn || turn === this.ended) {
      return; // a start that fails is told of twice
    }
    this.ended = turn;
    if (!this.crashes.record(Date.now())) {
      this.fail('The Goalproof server ended five times in three minutes and is not started again.');
      return;
    }
    this.output.warn('The server ended unexpectedly; it is started again.');
    this.become('starting', 'starting again');
    this.again = setTimeout(() => void this.start(), AGAIN_MS);
  }

  private async end(): Promise<void> {
    clearTimeout(this.again);
    this.again = undefined;
    this.turn += 1;
    const client = this.client;
    this.client = undefined;
    if (!client) {
      return;
    }
    try {
      await client.stop(STOP_MS);
    } catch (error) {
      this.output.debug(`The server was not stopped in order: ${String(error)}`);
    }
  }

  private explain(error: unknown): void {
    if (!(error instanceof ServerNotFound)) {
      this.fail(`The Goalproof server could not be looked for: ${String(error)}`);
      return;
    }
    for (const line of error.tried) {
      this.output.error(`Tried ${line}`);
    }
    const last = error.tried.length === 1 ? ` ${error.tried[0]}.` : '';
    this.fail(`${error.message}${last}`);
  }

  private fail(message: string): void {
    this.output.error(message);
    this.become('failed', message);
    const buttons = ['Select Interpreter', 'Restart', 'Show Log', 'Install Help'];
    this.offer(vscode.window.showErrorMessage(message, ...buttons));
  }

  private offer(asked: Thenable<string | undefined>): void {
    void asked.then(async (chosen) => {
      if (chosen === 'Install Help') {
        await vscode.env.openExternal(vscode.Uri.parse('https://www.python.org/downloads/'));
      } else if (chosen !== undefined) {
        await vscode.commands.executeCommand(BUTTONS[chosen] ?? 'goalproof.showOutput');
      }
    });
  }

  private become(state: ServerState, words: string): void {
    this.now = state;
    this.told = words;
    this.changed.fire();
  }
}

const BUTTONS: Record<string, string> = {
  'Select Interpreter': 'goalproof.selectInterpreter',
  Restart: 'goalproof.restart',
  'Show Log': 'goalproof.showOutput',
};
