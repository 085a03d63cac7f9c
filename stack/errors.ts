// QstackError: the one error class of qstack, with a stable `code`.
// In: a code and a sentence. Out: an Error that programs compare by `code`, never by its text.

export class QstackError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'QstackError';
    this.code = code;
  }
}
