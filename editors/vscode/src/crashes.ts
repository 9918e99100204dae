// When a server that ends by itself is started again: at most five ends in three minutes.

const MOST = 5;
const WINDOW_MS = 3 * 60_000;

export class Crashes {
  private readonly at: number[] = [];

  /** Records an end at `now` (milliseconds) and returns whether to start again. */
  record(now: number): boolean {
    this.at.push(now);
    const recent = this.at.filter((time) => now - time < WINDOW_MS);
    this.at.splice(0, this.at.length, ...recent);
    return recent.length < MOST;
  }

  forget(): void {
    this.at.length = 0;
  }
}
