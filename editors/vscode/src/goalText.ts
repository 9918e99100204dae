// The words of a goal that begins at a place in a file.

import { plainLine } from './plain';

export interface Place {
  /** Relative to the workspace folder. */
  path: string;
  /** Zero-based, both ends included. */
  firstLine: number;
  lastLine: number;
}

/** Returns the goal's text with its place, as a person would write it. */
export function composeGoal(text: string, place: Place): string {
  const lines =
    place.firstLine === place.lastLine
      ? `line ${place.firstLine + 1}`
      : `lines ${place.firstLine + 1}–${place.lastLine + 1}`;
  return `${text.trim()} (${plainLine(place.path, 300)}, ${lines})`;
}

/** Returns what to suggest for a problem that a tool found. */
export function suggestGoal(problem: string): string {
  const line = plainLine(problem, 200).replace(/\.$/, '');
  return line === '' ? '' : `Fix: ${line}`;
}
