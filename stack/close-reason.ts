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
