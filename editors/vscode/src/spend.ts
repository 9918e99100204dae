// Spend in words.  What nobody measured is unknown, never zero.

import type { SpendView } from './protocol';

/** Returns wall time as `8s`, `3m 20s` or `2h 5m`. */
export function showDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) {
    return `${seconds}s`;
  }
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}m ${seconds % 60}s`
    : `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
}

/** Returns what it cost: `cost unknown`, `$0.42`, or nothing where no agent was paid. */
export function showCost(spend: SpendView): string {
  if (spend.usd === null) {
    return 'cost unknown';
  }
  const dollars = Number(spend.usd);
  if (dollars === 0) {
    return '';
  }
  const figure = dollars < 0.01 ? '<$0.01' : `$${dollars.toFixed(2)}`;
  return spend.source === 'estimated' ? `about ${figure}` : figure;
}

/** Returns time, cost, tokens and their source for a tooltip. */
export function showSpend(spend: SpendView): string {
  const tokens =
    spend.tokens === null ? 'tokens unknown' : `${spend.tokens.toLocaleString('en-US')} tokens`;
  const cost = showCost(spend) || '$0';
  return `${showDuration(spend.wallMs)} · ${cost} · ${tokens} (${spend.source.replace(/_/g, ' ')})`;
}
