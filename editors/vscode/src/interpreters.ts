// Which Python runs the server: a pure choice, in one order, with a reason for each refusal.

export type ImportStrategy = 'useBundled' | 'fromEnvironment';

export const OLDEST: readonly [number, number] = [3, 11];

export interface Candidate {
  python: string;
  /** Where it was found, for the log and for a person. */
  source: string;
  /** Whether the person named it: then it is the only one, and a fault is told, not passed over. */
  named: boolean;
}

export interface Surroundings {
  interpreter: string;
  strategy: ImportStrategy;
  trusted: boolean;
  /** Absolute paths of the workspace folders. */
  folders: readonly string[];
  /** What Python extensions say is active, first choice first. */
  active: readonly string[];
  /** Interpreters of `.venv` folders in the workspace that are there. */
  venvs: readonly string[];
}

/** What a Python says of itself. */
export interface Answer {
  executable: string;
  version: [number, number, number];
  /** `cp312`, say. */
  tag: string;
  /** The version of `goalproof` that is installed in it. */
  goalproof: string | null;
}

export const ON_PATH = ['python3', 'python', 'python3.13', 'python3.12', 'python3.11'] as const;

/**
 * Returns the interpreters to ask, in order: the one that is set, the Python extensions' choice, the
 * workspace's `.venv` (only where the server comes from it), PATH.  Nothing inside an untrusted
 * workspace is asked: asking runs it.
 */
export function findCandidates(around: Surroundings): Candidate[] {
  if (around.interpreter !== '') {
    return [{ python: around.interpreter, source: 'goalproof.interpreter', named: true }];
  }
  const found: Candidate[] = around.active.map((python) => ({
    python,
    source: 'the Python extension',
    named: false,
  }));
  if (around.strategy === 'fromEnvironment') {
    found.push(
      ...around.venvs.map((python) => ({ python, source: 'the workspace', named: false })),
    );
  }
  found.push(...ON_PATH.map((python) => ({ python, source: 'PATH', named: false })));
  const seen = new Set<string>();
  return found.filter(({ python }) => {
    const allowed = around.trusted || !around.folders.some((folder) => isInside(python, folder));
    const fresh = !seen.has(python);
    seen.add(python);
    return allowed && fresh;
  });
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** Returns why a Python cannot run the server, or undefined where it can. */
export function findFault(
  answer: Answer,
  strategy: ImportStrategy,
  bundled: readonly string[],
): string | undefined {
  const [major, minor] = answer.version;
  const version = answer.version.join('.');
  if (major !== OLDEST[0] || minor < OLDEST[1]) {
    return `is Python ${version}; ${OLDEST.join('.')} or later is needed`;
  }
  if (strategy === 'fromEnvironment') {
    return answer.goalproof === null ? `(Python ${version}) has no goalproof installed` : undefined;
  }
  if (!bundled.includes(answer.tag)) {
    return `is Python ${version}; the bundled server is for ${showTags(bundled)}`;
  }
  return undefined;
}

function showTags(tags: readonly string[]): string {
  const versions = tags.map((tag) => tag.replace(/^cp(\d)(\d+)$/, '$1.$2'));
  return versions.length === 0 ? 'no Python at all: it is missing' : versions.join(', ');
}

/** Reads what a Python printed.  Returns undefined for anything else. */
export function parseAnswer(text: string): Answer | undefined {
  const line = text.trim().split('\n').at(-1) ?? '';
  let found: unknown;
  try {
    found = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) {
    return undefined;
  }
  const { executable, version, tag, goalproof } = found as Record<string, unknown>;
  const [major, minor, micro] = Array.isArray(version) ? (version as unknown[]) : [];
  if (
    typeof executable !== 'string' ||
    typeof tag !== 'string' ||
    typeof major !== 'number' ||
    typeof minor !== 'number' ||
    typeof micro !== 'number'
  ) {
    return undefined;
  }
  return {
    executable,
    version: [major, minor, micro],
    tag,
    goalproof: typeof goalproof === 'string' ? goalproof : null,
  };
}

/** The question that a Python is asked, with `-I` so that no folder and no variable colours it. */
export const QUESTION = `
import json, sys
try:
    from importlib.metadata import version
    found = version("goalproof")
except Exception:
    found = None
print(json.dumps({
    "executable": sys.executable,
    "version": list(sys.version_info[:3]),
    "tag": "cp%d%d" % sys.version_info[:2] if sys.implementation.name == "cpython" else "other",
    "goalproof": found,
}))
`;
