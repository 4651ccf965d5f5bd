import { checkInteger, checkOneOf, checkOptions, typeError } from '../../core/check.js';
import { maxThreads } from '../../native/addon.js';
import type { Plan } from '../../plan/plan.js';
import { checkProgressing, type Progressing, progressing } from '../progressing.js';
import { type LayoutOptions, layOut, layoutOptions } from '../virtual/virtual-checkpoint.js';
import { type Work, type Written, writeSet } from './write.js';

/** What to do about a checkpoint that is in the folder already. */
export type Existing = 'refuse' | 'replace' | 'resume';

export interface WriteCheckpointOptions extends LayoutOptions, Progressing {
  /**
   * 'refuse' by default; 'replace' keeps the old one until the new one is complete; 'resume' goes on with what a run with the same
   * arguments left unfinished, and does nothing to what is complete.
   */
  readonly existing?: Existing | undefined;
  /** Without a pool: threads that fill and write, 1 to 1024; set_num_threads' number by default, of which at most 8 are workers. */
  readonly threads?: number | undefined;
  /** Called once, when all checks are passed and the work begins. */
  readonly onBegin?: ((work: Work) => void | Promise<void>) | undefined;
}

/**
 * Writes a checkpoint into a folder, which is made if need be: `model.safetensors`, or shards and an index, or a file for each tensor and a
 * manifest; and its `config.json`.
 *
 *     await writeCheckpoint(await loadPlan('resnet18'), 'out', { seed: 42 });
 *
 * Files appear under their names only when they are complete and synced, what tells that all is there last. After an error or an abort
 * nothing is left, or, once something is worth keeping, what `existing: 'resume'` can go on with; the error says which by `resumable`.
 * Memory stays at a few megabytes for each thread, or one tensor where that can only be made whole (orthogonal, sparse).
 *
 * @param plan what loadPlan gave
 * @param folder where to
 * @param options.seed, engine, format, maxShardSize: as for virtualCheckpoint; they decide the bytes, nothing else does
 * @param options.existing 'refuse' (default), 'replace' or 'resume'
 * @param options.pool who fills and writes; without one a pool is made for the call, where that is worth it
 * @param options.signal stops: the promise rejects with an InterruptedError once nothing writes any more
 * @param options.onProgress called now and then with the bytes of tensors that are written
 * @returns what was written, and where
 * @throws InputError if the folder holds a checkpoint already; WriteError with the system's `code`; InterruptedError
 */
export async function writeCheckpoint(plan: Plan, folder: string, options?: WriteCheckpointOptions): Promise<Written> {
  const fn = 'writeCheckpoint';
  if (typeof folder !== 'string' || folder === '') throw typeError(fn, 'folder', "a folder's name", folder);
  const known = [...layoutOptions, ...progressing, 'existing', 'threads', 'onBegin'] as const;
  const given = checkOptions(fn, options, known);
  const existing = checkOneOf(fn, 'existing', given.existing ?? 'refuse', ['refuse', 'replace', 'resume']);
  const threads = given.threads === undefined ? undefined : checkInteger(fn, 'threads', given.threads, 1, maxThreads);
  const { pool, signal, onProgress } = checkProgressing(fn, given);
  const { onBegin } = given;
  if (onBegin !== undefined && typeof onBegin !== 'function') throw typeError(fn, 'onBegin', 'a function', onBegin);
  const laid = layOut(fn, plan, given);
  let total = 0;
  return writeSet(folder, laid, {
    pool,
    threads,
    signal,
    force: existing === 'replace',
    resume: existing === 'resume',
    onBegin: async (work) => {
      total = work.bytes - work.doneBytes;
      await onBegin?.(work);
    },
    onProgress: onProgress && ((bytes) => onProgress({ bytes, totalBytes: total })),
  });
}
