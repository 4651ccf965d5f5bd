// A request to an object store: made anew where that may help, and its errors as ours.
import { setTimeout } from 'node:timers/promises';
import { InterruptedError, WriteError } from '../../../core/errors.js';
import { throwIfAborted } from '../../../pool/operation.js';

/** After the SDK's own attempts, a request is made anew so often. */
const mostTurns = 5;
const firstPauseMs = 200;
export const notImplemented = 501;

export type Send<T> = (how: { readonly abortSignal?: AbortSignal }) => Promise<T>;

/** @throws WriteError, or InterruptedError after an abort */
export async function asked<T>(
  action: string,
  path: string,
  send: Send<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let turn = 1; ; turn++) {
    throwIfInterrupted(path, signal);
    try {
      return await send(signal === undefined ? {} : { abortSignal: signal });
    } catch (cause) {
      throwIfInterrupted(path, signal);
      if (cause instanceof Unmade) throw cause.cause;
      if (turn === mostTurns || !isPassing(cause)) throw wrapped(action, path, cause);
      const pause = firstPauseMs * 2 ** turn * (0.5 + Math.random() / 2);
      await setTimeout(pause, undefined, { signal }).catch(() => {});
    }
  }
}

/** What was to be sent could not be made, of which the store knows nothing. */
class Unmade extends Error {}

/** Ends a request for good, in place of what is in the way of its body. */
export function unmade(cause: unknown): never {
  throw new Unmade('there is nothing to send', { cause });
}

/** To be sent again, as what a store refuses itself. */
export function otherBytes(): Error {
  return Object.assign(new Error('the store got other bytes than were sent'), {
    name: 'BadDigest',
    code: 'BadDigest',
  });
}

function throwIfInterrupted(path: string, signal: AbortSignal | undefined): void {
  try {
    throwIfAborted(signal);
  } catch (cause) {
    throw new InterruptedError(path, cause);
  }
}

/** Of a store's answer, also where the error is ours by now. */
export function statusOf(cause: unknown): number | undefined {
  const of = cause instanceof WriteError ? cause.cause : cause;
  return (of as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}

/** Whether it may go well next time: the store is busy or out of order, or the connection broke. */
function isPassing(cause: unknown): boolean {
  const { name = '', code } = cause as { name?: string; code?: string };
  if (name === 'CredentialsProviderError') return false;
  const status = statusOf(cause);
  if (status !== undefined)
    return (
      (status >= 500 && status !== notImplemented) ||
      status === 429 ||
      status === 408 ||
      /Timeout|BadDigest|SlowDown|IncompleteBody/.test(name)
    );
  return code !== undefined || name === 'TimeoutError';
}

function wrapped(action: string, path: string, cause: unknown): unknown {
  if (cause instanceof WriteError || !(cause instanceof Error)) return cause;
  const { message, name } = cause;
  const said = message === 'UnknownError' ? name : `${message} (${name})`; // the SDK's word for no message, as of Ceph
  const told = Object.assign(new Error(said), {
    code: name,
    $metadata: (cause as { $metadata?: unknown }).$metadata,
  });
  return new WriteError(action, path, told);
}
