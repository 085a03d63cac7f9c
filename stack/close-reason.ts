// Why a connection ended, by name; and the error that stands for it where somebody waited.
import { QstackError } from './errors.js';

/** In the order of CloseCode (stack/abi.ts). */
const REASONS = [
  'finished',
  'reset',
  'aborted',
  'timed-out',
  'idle',
  'refused',
  'unreachable',
  'stack-stopped',
  'app-lost',
  'bad-message',
] as const;

export type CloseReason = (typeof REASONS)[number];

export function closeReason(code: number): CloseReason {
  return REASONS[code] ?? 'aborted';
}

export function closeCode(reason: CloseReason): number {
  return REASONS.indexOf(reason);
}

const SOCKET_CODES: Partial<Record<CloseReason, string>> = {
  reset: 'ECONNRESET',
  'timed-out': 'ETIMEDOUT',
  refused: 'ECONNREFUSED',
  unreachable: 'EHOSTUNREACH',
  'stack-stopped': 'QST_ERR_STACK_STOPPED',
  'bad-message': 'EBADMSG',
};

export function closeError(reason: CloseReason, what: string): QstackError {
  return new QstackError(
    SOCKET_CODES[reason] ?? 'QST_ERR_CONNECTION_CLOSED',
    `${what}: the connection is closed (${reason})`,
  );
}

/** What a reader is told at the end: nothing went wrong where both sides have finished. */
export function endOf(reason: CloseReason): QstackError | undefined {
  return reason === 'finished' ? undefined : closeError(reason, 'receive()');
}
