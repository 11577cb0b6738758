/**
 * An error that is the user's to mend: bad input, a missing file, an impossible flag. The command line prints its message
 * and hint without a stack and exits with 2; a library caller sees an ordinary Error.
 */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  /** What to do about it, in one line. */
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
  }
}

/** The `code` of a Node.js system error (`ENOENT`, `ENOSPC`, …), or undefined. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The message of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
