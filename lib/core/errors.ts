import { namelessCode, strerror } from './strerror.js';
import { messageText, withoutPassword } from './text.js';

/**
 * What the user gave cannot be used: a file that is no JSON, a recipe with a misspelt key, a folder that holds a checkpoint
 * already. Nothing has been touched.
 */
export class InputError extends Error {
  override readonly name = 'InputError';
  /** A short constant to branch on. */
  readonly code: string;
  /** The file or folder in question, where there is one. */
  readonly path: string | undefined;

  constructor(message: string, { code = 'ERR_NNINIT_INPUT', path, cause }: InputErrorOptions = {}) {
    super(messageText(message), cause === undefined ? undefined : { cause });
    this.code = code;
    this.path = path && withoutPassword(path);
  }
}

export interface InputErrorOptions {
  readonly code?: string;
  readonly path?: string | undefined;
  readonly cause?: unknown;
}

/** The system refused while a checkpoint was being written: a full disk, a read-only folder, … */
export class WriteError extends Error {
  override readonly name = 'WriteError';
  /** The system's own code: ENOSPC, EACCES, EFBIG, … */
  readonly code: string;
  readonly path: string;
  /** Whether what was complete is kept, for a run that goes on; else what was begun is removed. */
  resumable = false;

  constructor(action: string, path: string, cause: unknown) {
    super(messageText(`could not ${action} ${path}: ${strerror(cause)}`), { cause });
    this.code = errorCode(cause) ?? 'ERR_NNINIT_WRITE';
    this.path = path;
  }
}

/** What messages call the stream. */
export const stdoutName = 'standard output';

/** A signal or an AbortSignal ended the work. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
  readonly code = 'ERR_NNINIT_INTERRUPTED';
  readonly path: string;
  /** Whether what was complete is kept, for a run that goes on; else what was begun is removed. */
  resumable = false;

  /** @param when when it was, in words */
  constructor(path: string, cause: unknown, when = `before ${path} was complete`) {
    super(messageText(`interrupted ${when}`), { cause });
    this.path = path;
  }
}

/** The pool that was to do the work was closed: before the call, or by force while it was at it. */
export class PoolClosedError extends Error {
  override readonly name = 'PoolClosedError';
  readonly code = 'ERR_NNINIT_POOL_CLOSED';
  /** Of a checkpoint that was being written: whether what was complete is kept, for a run that goes on. */
  resumable = false;
}

/** Whether an error is of the kinds that say whether what was being written can be gone on with. */
export function saysResumable(error: unknown): error is WriteError | InterruptedError | PoolClosedError {
  return error instanceof WriteError || error instanceof InterruptedError || error instanceof PoolClosedError;
}

/** The `code` of a system error. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? (namelessCode(error) ?? error.code) : undefined;
}
