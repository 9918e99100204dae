// What a refusal of the server carries, read from whatever was thrown.

import { plainLine, plainText } from './plain';
import type { GateView } from './protocol';

/** The error of a request that was cancelled. */
const REQUEST_CANCELLED = -32800;

export interface Refusal {
  /** The class of the engine's error, empty where it is no refusal of the engine. */
  kind: string;
  message: string;
  /** Gates that nobody approved yet, for `GatesNotApproved`. */
  gates: UnapprovedGate[];
}

export type UnapprovedGate = Pick<GateView, 'name' | 'command' | 'reason' | 'digest'>;

/** Returns what an error says; never throws. */
export function readRefusal(error: unknown): Refusal {
  const message = error instanceof Error ? error.message : String(error);
  const data = isRecord(error) ? error['data'] : undefined;
  if (!isRecord(data)) {
    return { kind: '', message, gates: [] };
  }
  const { class: kind, message: told, gates } = data;
  return {
    kind: typeof kind === 'string' ? kind : '',
    message: typeof told === 'string' ? told : message,
    gates: Array.isArray(gates) ? gates.filter(isGate) : [],
  };
}

/** Whether an error only says that somebody changed their mind, or that the window closes. */
export function isCancelled(error: unknown): boolean {
  return isRecord(error) && (error['name'] === 'Canceled' || error['code'] === REQUEST_CANCELLED);
}

/** Returns all that a gate runs, never cut, and why it is there: it is what a person approves. */
export function describeGate(gate: UnapprovedGate): string {
  return `${plainLine(gate.name)}: ${plainText(gate.command)}\n${plainLine(gate.reason, 300)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isGate(value: unknown): value is UnapprovedGate {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    typeof value['digest'] === 'string' &&
    typeof value['command'] === 'string' &&
    typeof value['reason'] === 'string'
  );
}
