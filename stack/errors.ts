// QstackError: the one error class of qstack, with a stable `code`.
// In: a code and a sentence. Out: an Error that programs compare by `code`, never by its text. Socket errors have the codes
// of Node (`ECONNRESET`, `EADDRINUSE`, …); all others stand in ERROR_CODES, each with the sentence that says what it means.

export const ERROR_CODES = {
  QST_ERR_ABI_MISMATCH: 'The native addon and the TypeScript files were built from different versions.',
  QST_ERR_APP_FAILED: 'An app thread ended before it was on the air, or died too often.',
  QST_ERR_CANCELLED: 'A coroutine was joined that had been cancelled.',
  QST_ERR_CAPTURE: 'A capture file cannot be read, or holds no Ethernet frames.',
  QST_ERR_CLASSIFIER_INVALID: 'A rule of the classifier cannot be understood or compiled.',
  QST_ERR_CONFIG_INVALID: 'The configuration has faults; each is listed with its place and the accepted range.',
  QST_ERR_CONNECTION_CLOSED: 'The connection was closed while something waited for it.',
  QST_ERR_DASHBOARD: 'The dashboard cannot listen where it was told to.',
  QST_ERR_DEVICE: 'The network device cannot be opened or used.',
  QST_ERR_EAL: "DPDK's environment could not be started, or was started twice.",
  QST_ERR_HANDLER_NOT_A_MODULE: 'A function was handed to a stack with threads; it takes the URL of a module.',
  QST_ERR_INTERNAL: 'A fault of qstack itself; please report it.',
  QST_ERR_INVALID_ARGUMENT: 'A call was given an argument that it does not take.',
  QST_ERR_LISTEN: 'A listener cannot be made; the sentence says why.',
  QST_ERR_LISTENERS_DIFFER: 'The app threads of one stack asked for different listeners.',
  QST_ERR_LISTEN_AFTER_SETUP: 'With app threads all listeners are made in setup().',
  QST_ERR_MCC_BUSY: 'The load generator is still running.',
  QST_ERR_MESSAGE_RELEASED: 'A message, or a part of it, was used after its handler had ended.',
  QST_ERR_NATIVE: 'A call of the operating system failed in the native addon.',
  QST_ERR_NATIVE_MISSING: 'The native addon was not built, or cannot be loaded.',
  QST_ERR_NATIVE_OPTION: 'The native addon was given an option that it does not take.',
  QST_ERR_NOT_AN_OP: 'Something that is no op was given where an op is awaited.',
  QST_ERR_NO_MEMORY: 'The memory that a stack needs is not there.',
  QST_ERR_NO_SCHEDULER: 'An op was used in a thread where no stack runs.',
  QST_ERR_OFFLOAD: 'The module of the tasks exports no such one.',
  QST_ERR_OP_REUSED: 'An op was awaited twice.',
  QST_ERR_OUT_OF_RANGE: 'A read beyond the end of a message.',
  QST_ERR_REDIS_LOST: 'The connection to Redis broke before the reply came.',
  QST_ERR_REDIS_REFUSED: 'The Redis client has no room for another command.',
  QST_ERR_REDIS_REPLY: 'Redis answered with an error.',
  QST_ERR_REDIS_TIMEOUT: 'Redis did not answer in time.',
  QST_ERR_REPLY_RELEASED: 'A reply of Redis was used after the handler had ended.',
  QST_ERR_STACK_DESTROYED: 'A stack was used after it had been taken down.',
  QST_ERR_STACK_BUSY:
    'An app thread that drives a stack has not come round for a second; what was asked may be done in other stacks.',
  QST_ERR_STACK_DRIVEN: 'Only the thread that drives this stack may make this call.',
  QST_ERR_STACK_RUNNING: 'The stack runs already.',
  QST_ERR_STACK_STOPPED: 'The stack was stopped.',
  QST_ERR_TIMEOUT: 'An op took longer than timeout() allowed.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export class QstackError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'QstackError';
    this.code = code;
  }
}
