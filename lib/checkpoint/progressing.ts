import { typeError } from '../core/check.js';
import { checkFillOptions, isSignal, ownSignal } from '../pool/operation.js';
import type { Pool } from '../pool/pool.js';

/** How far a checkpoint has come. */
export interface CheckpointProgress {
  /** Bytes of tensors that are done. */
  readonly bytes: number;
  /** Bytes of tensors that there are to do. */
  readonly totalBytes: number;
}

/** What every function that works on a whole checkpoint takes. */
export interface Progressing {
  /** Worker threads that do the work. */
  readonly pool?: Pool | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CheckpointProgress) => void) | undefined;
}

/** The names of these options. */
export const progressing = ['pool', 'signal', 'onProgress'] as const;

/**
 * Checks them; a signal that is aborted already is left to the function, and one of another realm is followed by one of this.
 *
 * @throws TypeError
 */
export function checkProgressing(fn: string, options: { readonly [K in keyof Progressing]?: unknown }): Progressing {
  const { pool, signal, onProgress } = options;
  if (pool !== undefined && !isPool(pool)) throw typeError(fn, 'pool', 'what createPool gave', pool);
  const aborted = isSignal(signal) && signal.aborted;
  const checked = checkFillOptions(fn, { signal: aborted ? undefined : signal, onProgress });
  const own = signal === undefined ? undefined : ownSignal(signal as AbortSignal);
  return { pool, signal: own, onProgress: checked.onProgress as Progressing['onProgress'] };
}

function isPool(value: unknown): value is Pool {
  return typeof (value as Pool | null)?.runTask === 'function';
}
