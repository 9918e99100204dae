// Finds the server and says how to start it.  Nothing of the workspace is on its import path.

import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import {
  type Answer,
  type Candidate,
  type ImportStrategy,
  QUESTION,
  findCandidates,
  findFault,
  parseAnswer,
} from './interpreters';

const ANSWER_MS = 20_000;

/** How the server is started. */
export interface Launch {
  command: string;
  args: string[];
  cwd: string;
  /** For the log and the status bar's tooltip. */
  words: string;
}

/** No server can be started: what was tried and why it did not fit. */
export class ServerNotFound extends Error {
  constructor(
    message: string,
    readonly tried: readonly string[],
  ) {
    super(message);
  }
}

export interface Tried {
  candidate: Candidate;
  answer?: Answer;
  fault?: string;
}

/** Finds the server: `goalproof.path`, else an interpreter with the bundled or installed server. */
export async function findServer(extension: string): Promise<Launch> {
  const settings = vscode.workspace.getConfiguration('goalproof');
  const path = settings.get('path', '').trim();
  if (path !== '') {
    await checkProgram(path);
    return { command: path, args: ['lsp'], cwd: extension, words: `${path} (goalproof.path)` };
  }
  const strategy = readStrategy();
  const tried: string[] = [];
  const bundled = await findBundled(extension);
  for (const candidate of await listCandidates(strategy)) {
    const { answer, fault } = await tryCandidate(candidate, strategy, bundled, extension);
    if (answer && fault === undefined) {
      return makeLaunch(answer, candidate, strategy, extension);
    }
    tried.push(`${candidate.python} (${candidate.source}) ${fault ?? 'did not answer'}`);
  }
  throw new ServerNotFound(explain(strategy), tried);
}

/** Rejects where the program that a person named is not there; a bare name is looked for on PATH. */
async function checkProgram(path: string): Promise<void> {
  if (!path.includes('/') && !path.includes('\\')) {
    return;
  }
  try {
    await access(path, constants.X_OK);
  } catch {
    const message = 'Goalproof cannot start the program that `goalproof.path` names:';
    throw new ServerNotFound(message, [`${path} is not there, or may not be run`]);
  }
}

function explain(strategy: ImportStrategy): string {
  return strategy === 'useBundled'
    ? 'Goalproof found no Python that can run its server: it needs Python 3.11 or later. Select an interpreter, or install one.'
    : 'Goalproof found no Python that has goalproof installed. Install it in your environment (`pip install .` in a clone of Goalproof), select another interpreter, or set `goalproof.importStrategy` to `useBundled`.';
}

function makeLaunch(
  answer: Answer,
  candidate: Candidate,
  strategy: ImportStrategy,
  extension: string,
): Launch {
  const version = answer.version.join('.');
  const script = join(extension, 'bundled', 'tool', 'server.py');
  const args =
    strategy === 'useBundled' ? ['-I', '-S', script] : ['-I', '-m', 'goal_server', 'lsp'];
  const from = strategy === 'useBundled' ? 'bundled server' : `goalproof ${answer.goalproof}`;
  return {
    command: answer.executable || candidate.python,
    args,
    cwd: extension,
    words: `${from}, Python ${version}, ${answer.executable} (${candidate.source})`,
  };
}

export function readStrategy(): ImportStrategy {
  const settings = vscode.workspace.getConfiguration('goalproof');
  return settings.get<string>('importStrategy') === 'fromEnvironment'
    ? 'fromEnvironment'
    : 'useBundled';
}

/** Returns the interpreters to ask, in order. */
export async function listCandidates(strategy: ImportStrategy): Promise<Candidate[]> {
  const settings = vscode.workspace.getConfiguration('goalproof');
  const trusted = vscode.workspace.isTrusted;
  const folders = (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);
  return findCandidates({
    interpreter: settings.get('interpreter', '').trim(),
    strategy,
    trusted,
    folders,
    active: trusted ? await findActive() : [],
    venvs: trusted ? await findVenvs(folders) : [],
  });
}

/** Asks every candidate, for a person who chooses. */
export async function tryAll(extension: string): Promise<Tried[]> {
  const strategy = readStrategy();
  const bundled = await findBundled(extension);
  const named = await listCandidates(strategy);
  return Promise.all(
    named.map((candidate) => tryCandidate(candidate, strategy, bundled, extension)),
  );
}

async function tryCandidate(
  candidate: Candidate,
  strategy: ImportStrategy,
  bundled: readonly string[],
  cwd: string,
): Promise<Tried> {
  // without `site` no `.pth` file of an environment is obeyed, which the bundled server needs not
  const flags = strategy === 'useBundled' ? ['-I', '-S'] : ['-I'];
  const said = await run(candidate.python, [...flags, '-c', QUESTION], cwd);
  if ('fault' in said) {
    return { candidate, fault: said.fault };
  }
  const answer = parseAnswer(said.text);
  return answer
    ? { candidate, answer, fault: findFault(answer, strategy, bundled) }
    : { candidate, fault: 'did not answer as a Python does' };
}

function run(
  command: string,
  args: string[],
  cwd: string,
): Promise<{ text: string } | { fault: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, timeout: ANSWER_MS, encoding: 'utf8' }, (error, stdout) => {
      if (!error) {
        resolve({ text: stdout });
      } else if (error.code === 'ENOENT' || error.code === 'EACCES') {
        resolve({ fault: error.code === 'ENOENT' ? 'is not there' : 'may not be run' });
      } else {
        resolve({ fault: error.killed ? 'did not answer in time' : 'could not be asked' });
      }
    });
  });
}

/** Returns the tags (`cp312`) that the bundled server has compiled parts for; none without it. */
async function findBundled(extension: string): Promise<string[]> {
  try {
    const names = await readdir(join(extension, 'bundled', 'libs'));
    return names.filter((name) => /^cp\d+$/.test(name)).sort();
  } catch {
    return [];
  }
}

async function findVenvs(folders: readonly string[]): Promise<string[]> {
  const within = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'];
  const found: string[] = [];
  for (const folder of folders) {
    const python = join(folder, '.venv', ...within);
    try {
      await access(python);
      found.push(python);
    } catch {
      // most workspaces have none
    }
  }
  return found;
}

interface EnvironmentsApi {
  getEnvironment?(
    scope: vscode.Uri | undefined,
  ): Promise<{ execInfo?: { run?: { executable?: string } } } | undefined>;
}

interface PythonApi {
  environments?: {
    getActiveEnvironmentPath?(resource?: vscode.Uri): { path?: string };
    resolveEnvironment?(path: unknown): Promise<{ executable?: { uri?: vscode.Uri } } | undefined>;
  };
}

/** Returns what Python extensions say is active; neither of them has to be there. */
async function findActive(): Promise<string[]> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const asked = [
    async () => {
      const api = await activateApi<EnvironmentsApi>('ms-python.vscode-python-envs');
      return (await api?.getEnvironment?.(folder))?.execInfo?.run?.executable;
    },
    async () => {
      const api = await activateApi<PythonApi>('ms-python.python');
      const path = api?.environments?.getActiveEnvironmentPath?.(folder);
      const resolved = await api?.environments?.resolveEnvironment?.(path);
      return resolved?.executable?.uri?.fsPath;
    },
  ];
  const found: string[] = [];
  for (const ask of asked) {
    try {
      const python = await ask();
      if (python) {
        found.push(python);
      }
    } catch {
      // another extension's fault is no reason not to look further
    }
  }
  return found;
}

async function activateApi<T>(id: string): Promise<T | undefined> {
  const extension = vscode.extensions.getExtension<T>(id);
  return extension && (extension.isActive ? extension.exports : await extension.activate());
}
