import { checkInteger, checkOneOf, checkOptions, isPlainObject, typeError } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { maxThreads } from '../../native/addon.js';
import type { Plan } from '../../plan/plan.js';
import { checkProgressing, type Progressing, progressing } from '../progressing.js';
import { type LayoutOptions, layOut, layoutOptions } from '../virtual/virtual-checkpoint.js';
import { checkFolder } from './folder.js';
import { mostParts, type Part } from './parts/shares.js';
import { isAddress } from './s3/address.js';
import { countsOf, type Work, type Written, writeSet } from './write.js';

/** What to do about a checkpoint that is in the folder already. */
export type Existing = 'refuse' | 'replace' | 'resume';

export const existings: readonly Existing[] = ['refuse', 'replace', 'resume'];

export interface WriteCheckpointOptions extends LayoutOptions, Progressing {
  /**
   * 'refuse' by default; 'replace' keeps the old one until the new one is complete; 'resume' goes on with what a run with the same
   * arguments left unfinished, and does nothing to what is complete.
   */
  readonly existing?: Existing | undefined;
  /** Without a pool: threads that fill and write, 1 to 1024; set_num_threads' number by default, of which at most 8 are workers. */
  readonly threads?: number | undefined;
  /**
   * Writes only one of `count` parts of all files, `index` from 0, of about the same number of bytes: other processes, on whatever machines,
   * write the others into the same folder, at any time and in any order. finishCheckpoint makes a checkpoint of them; with
   * `finish: 'auto'` whoever finds that all is there does. A part that ended early goes on when it is written again.
   */
  readonly part?: (Part & { readonly finish?: 'auto' | undefined }) | undefined;
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
 * @param folder where to; `s3://bucket/prefix` for an object store, by the npm package @aws-sdk/client-s3, with credentials, region and AWS_ENDPOINT_URL as
 *   that finds them
 * @param options.seed an integer in [-2^63, 2^64), 0 by default
 * @param options.engine 'philox' (default) or 'torch'
 * @param options.format 'safetensors' (default), 'npy' or 'raw'
 * @param options.maxShardSize bytes of tensors a file of safetensors, or text such as '5GB' (default)
 * @param options.name what the names of safetensors files begin with, 'model' by default
 * @param options.existing 'refuse' (default), 'replace' or 'resume'
 * @param options.part one of several parts, each by a process of its own: `{ index, count }`, and `finish: 'auto'`
 * @param options.pool who fills and writes; without one a pool is made for the call, where that is worth it
 * @param options.signal stops: the promise rejects with an InterruptedError once nothing writes any more
 * @param options.onProgress called now and then with the bytes of tensors that are written
 * @returns what was written, and where
 * @throws InputError if the folder holds a checkpoint already; WriteError with the system's `code`; InterruptedError
 */
export async function writeCheckpoint(plan: Plan, folder: string, options?: WriteCheckpointOptions): Promise<Written> {
  const fn = 'writeCheckpoint';
  checkFolder(fn, folder);
  const known = [...layoutOptions, ...progressing, 'existing', 'threads', 'part', 'onBegin'] as const;
  const given = checkOptions(fn, options, known);
  const { existing: mode = 'refuse' } = given;
  const existing = checkOneOf(fn, 'existing', mode, existings);
  const threads = checkThreads(fn, given.threads);
  const { pool, signal, onProgress } = checkProgressing(fn, given);
  const { onBegin } = given;
  if (onBegin !== undefined && typeof onBegin !== 'function') throw typeError(fn, 'onBegin', 'a function', onBegin);
  const { tensors, ...laid } = layOut(fn, plan, given);
  const part = given.part === undefined ? undefined : checkPart(fn, given.part);
  let total = 0;
  const running = {
    pool,
    threads,
    signal,
    force: existing === 'replace',
    onBegin: async (work: Work) => {
      total = work.bytes - work.doneBytes;
      await onBegin?.(work);
    },
    onProgress: onProgress && ((bytes: number) => onProgress({ bytes, totalBytes: total })),
  };
  const all = { ...laid, ...countsOf(tensors) };
  if (isAddress(folder)) {
    if (part !== undefined) throw new InputError(`a checkpoint in parts needs a folder, not ${folder}`);
    const { writeToS3 } = await import('./s3/write-s3.js');
    return writeToS3(folder, all, { ...running, resume: existing === 'resume' });
  }
  if (part === undefined) return writeSet(folder, all, { ...running, resume: existing === 'resume' });
  const { writePart } = await import('./parts/write-part.js');
  const written = await writePart(folder, all, { ...running, part });
  if (part.finish !== 'auto' || written.complete) return written;
  const { finishIfThere } = await import('./parts/finish.js');
  const finished = await finishIfThere(folder, { signal });
  return { ...written, complete: finished !== undefined };
}

/** @internal */
export function checkThreads(fn: string, given: unknown): number | undefined {
  return given === undefined ? undefined : checkInteger(fn, 'threads', given, 1, maxThreads);
}

/** @internal */
export function checkPart(fn: string, given: unknown): NonNullable<WriteCheckpointOptions['part']> {
  if (!isPlainObject(given)) throw typeError(fn, 'part', '{ index, count }', given);
  const { index, count, finish } = checkOptions(`${fn}: part`, given, ['index', 'count', 'finish']);
  const parts = checkInteger(fn, 'part.count', count, 1, mostParts);
  const number = checkInteger(fn, 'part.index', index, 0, parts - 1);
  if (finish !== undefined) checkOneOf(fn, 'part.finish', finish, ['auto']);
  return { index: number, count: parts, ...(finish !== undefined && { finish: 'auto' }) };
}
