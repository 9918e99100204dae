// Follows a log that grows: what to ask for next and what of the answer is new.

import type { LogView } from './protocol';

export interface Step {
  /** What to print. */
  text: string;
  /** Ask again at once: the answer was of another log than the one that was followed. */
  again: boolean;
  live: boolean;
}

export class LogFeed {
  /** Whose log `at` counts in. */
  private name: string | undefined;
  private shown: string | undefined;
  private at = 0;

  /** Where to read on, in bytes. */
  get offset(): number {
    return this.at;
  }

  /** Takes an answer to a request with `offset`. */
  take(view: LogView): Step {
    if (this.name !== undefined && view.name !== this.name && this.at > 0) {
      this.name = undefined;
      this.at = 0;
      return { text: '', again: true, live: view.live };
    }
    const heading = this.shown === view.name ? '' : `── ${view.name} ──\n`;
    this.name = this.shown = view.name;
    this.at = view.offset;
    return { text: heading + view.text, again: false, live: view.live };
  }
}
