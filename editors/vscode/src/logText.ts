// What is shown of a log that may be long: its end, and the view goes with it until somebody looks back.

/**
 * Characters that are kept at most.  Of more than 100,000 VS Code replaces the whole text where it
 * would else add to it, and the place that a person reads at is lost.
 */
const MOST = 90_000;
/** Characters that are left when some have to go: not each line that comes pushes one out. */
const LEAST = 60_000;

export class LogText {
  private kept = '';
  private gone = 0;

  constructor(private readonly whole: string) {}

  append(text: string): void {
    this.kept += text;
    if (this.kept.length > MOST) {
      const from = this.kept.length - LEAST;
      const line = this.kept.indexOf('\n', from) + 1;
      const cut = line > 0 ? line : from;
      this.gone += cut;
      this.kept = this.kept.slice(cut);
    }
  }

  /** Appends a line of our own. */
  appendLine(line: string): void {
    const ended = this.kept === '' || this.kept.endsWith('\n');
    this.append(`${ended ? '' : '\n'}${line}\n`);
  }

  clear(): void {
    this.kept = '';
    this.gone = 0;
  }

  /** What is left; where it is not all, the first line says so. */
  toString(): string {
    const kilo = Math.round(this.gone / 1000);
    return this.gone === 0
      ? this.kept
      : `── the first ${kilo} kB are left out here; ${this.whole} has all ──\n${this.kept}`;
  }
}

/** Whether a view goes with the end of a text that grows: until a person scrolls up, and again at the end. */
export class Follow {
  private top = 0;
  private follows = true;

  get on(): boolean {
    return this.follows;
  }

  /** Takes which lines are seen, of how many; lines that are added below move nothing. */
  see(first: number, last: number, lines: number): void {
    if (last >= lines - 2) {
      this.follows = true; // the last line of a log that ends with its line is empty
    } else if (first < this.top) {
      this.follows = false;
    }
    this.top = first;
  }

  /** Takes that the text changed: what is seen may move, and nobody scrolled. */
  grow(): void {
    this.top = 0;
  }
}
