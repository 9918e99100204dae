// Which limits of a goal are used up, and what a person is asked to raise.

export interface Limit {
  /** The parameter of `goal.resume`. */
  key: 'wallSeconds' | 'attempts' | 'changedLines' | 'tokens' | 'usd' | 'turns';
  prompt: string;
  /** Twice the old limit. */
  suggestion: string;
  check: (typed: string) => string | undefined;
}

const NAMES: Record<Limit['key'], string> = {
  wallSeconds: 'seconds of work',
  attempts: 'attempts in all',
  changedLines: 'changed lines',
  tokens: 'tokens',
  usd: 'US dollars',
  turns: 'turns of agents',
};

/** Returns the limits that are used up; what nobody measured counts as used up. */
export function findLimits(view: GoalView): Limit[] {
  const { budget, spend } = view;
  const used: [Limit['key'], number | null, number | null][] = [
    ['wallSeconds', budget.wallSeconds, spend.wallMs / 1000],
    ['attempts', budget.attempts, spend.attempts],
    ['changedLines', budget.changedLines, spend.changedLines],
    ['tokens', budget.tokens, spend.tokens],
    ['usd', toNumber(budget.usd), toNumber(spend.usd)],
    ['turns', budget.turns ?? null, spend.turns ?? 0],
  ];
  return used
    .filter(([, limit, spent]) => limit !== null && (spent === null || spent >= limit))
    .map(([key, limit, spent]) => makeLimit(key, limit!, spent));
}

function makeLimit(key: Limit['key'], limit: number, spent: number | null): Limit {
  const figure = spent === null ? 'an unknown number' : String(Math.round(spent * 100) / 100);
  return {
    key,
    prompt: `${figure} of ${limit} ${NAMES[key]} are used. How many may it be?`,
    suggestion: String(limit * 2),
    check: (typed) => {
      const value = Number(typed);
      const fits = value > limit && (key === 'usd' || Number.isInteger(value));
      return fits ? undefined : `A number above ${limit}.`;
    },
  };
}

function toNumber(figure: string | null): number | null {
  return figure === null ? null : Number(figure);
}
import type { GoalView } from './protocol';
