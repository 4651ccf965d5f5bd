import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InputError, saysResumable } from '../../core/errors.js';
import type { Format } from '../../formats/names.js';
import type { Keys } from '../../plan/keys.js';
import type { PlanSource, ResolvedTensor } from '../../plan/plan.js';
import { checkWhole } from '../virtual/check-whole.js';
import type { FileSet } from '../virtual/layout.js';
import { fileSetOf } from '../virtual/tensor-files.js';
import { VirtualCheckpoint } from '../virtual/virtual.js';
import { commit } from './commit/commit.js';
import { makeFolder, removeFolders, removeNames, retried, step, syncFolder } from './commit/files.js';
import {
  isHeld,
  isLeftover,
  isOf,
  isOrder,
  type Journal,
  journalName,
  readJournal,
  takenOver,
} from './commit/journal.js';
import { Recorder } from './commit/recorder.js';
import { checkSpace, type Left } from './commit/space.js';
import { refuseAppeared, type Survey, survey } from './commit/survey.js';
import { RunOutlet, stretchesOf } from './outlet.js';
import { type RunOptions, writeStretches } from './run.js';

/** @internal */
export interface WriteOptions extends RunOptions {
  /** What the tensors are drawn from. */
  readonly keys: Keys;
  /** safetensors by default; npy and raw make a file for each tensor. */
  readonly format?: Format | undefined;
  /** What the names of safetensors files begin with; 'model' by default. */
  readonly base?: string | undefined;
  /** Bytes of tensors a shard of safetensors; 5·10^9 by default. A tensor that is larger gets a shard of its own. */
  readonly maxShardSize?: number | undefined;
  /** The text of config.json, where the model has one. */
  readonly config?: string | undefined;
  /** What makes the plan again. */
  readonly source?: PlanSource | undefined;
  /** Replaces a checkpoint that is there already. */
  readonly force?: boolean | undefined;
  /** Goes on with a checkpoint that a run with the same arguments left unfinished, if there is one. */
  readonly resume?: boolean | undefined;
  /** How long a run that cannot be seen from here may show no sign of life before it is taken for gone; 10 s by default. */
  readonly graceMs?: number | undefined;
  /** Finishes what was written in parts, beside whoever may still be writing the same once more. Every byte must be there. */
  readonly finishes?: boolean | undefined;
  /** Whether the call that this is a part of has entered the pool, which may be closing since then. */
  readonly entered?: boolean | undefined;
  /** Called when all checks are passed and the work begins. */
  readonly onBegin?: ((work: Work) => Promise<void>) | undefined;
}

/** What is to be done. */
export interface Work {
  /** What is written last, as in Written. */
  readonly path: string;
  readonly tensors: number;
  readonly files: number;
  /** Bytes of tensors that are to be written, and those that are there already. */
  readonly bytes: number;
  readonly doneBytes: number;
}

/** What was written. */
export interface Written {
  /** The file that tells that all is there: model.safetensors, or the index or manifest of several files. */
  readonly path: string;
  readonly format: Format;
  /** Files of tensors. */
  readonly files: number;
  readonly tensors: number;
  readonly parameters: number;
  /** Of all files of tensors, those that were there already included. */
  readonly bytes: number;
  /** Bytes of tensors that were there already, from a run before. */
  readonly resumedBytes: number;
  /** Whether all of it is there now; false after a part, until the checkpoint is finished. */
  readonly complete: boolean;
}

/**
 * Writes a model into a folder, which is made if need be: `model.safetensors`, or shards and an index, or a file for each tensor and a
 * manifest; and its `config.json`.
 *
 * The bytes are a function of the tensors, the seed, the sizes of shards and nninit's version. Memory stays at a few chunks for each
 * thread, or one tensor where that cannot be cut (orthogonal, sparse). Files appear under their names only when they are complete
 * and synced, the index (or the only file) last. After an error or an abort nothing is left, or, once something is worth keeping, what
 * `resume` can go on with; the error says which by `resumable`.
 *
 * @throws InputError if the folder holds a checkpoint (unless `force`), or an unfinished one (unless `force` or `resume`);
 *   WriteError with the system's `code`; InterruptedError after `signal`
 *
 * @internal
 */
export async function writeTensors(
  folder: string,
  tensors: readonly ResolvedTensor[],
  options: WriteOptions,
): Promise<Written> {
  checkWhole(tensors);
  return writeSet(folder, { set: fileSetOf(tensors, options), keys: options.keys, ...countsOf(tensors) }, options);
}

/**
 * What is written: files laid out, what their tensors are drawn from, and how much it is.
 *
 * @internal
 */
export interface Laid extends Counts {
  readonly set: FileSet;
  readonly keys: Keys;
}

interface Counts {
  readonly tensors: number;
  readonly parameters: number;
}

/** @internal */
export function countsOf(tensors: readonly ResolvedTensor[]): Counts {
  return { tensors: tensors.length, parameters: sum(tensors.map(({ elements }) => elements)) };
}

/**
 * writeTensors, for what is laid out.
 *
 * @internal
 */
export async function writeSet(
  folder: string,
  { set, keys, tensors, parameters }: Laid,
  options: Omit<WriteOptions, 'keys'>,
): Promise<Written> {
  using _call = options.entered ? undefined : options.pool?.enter('writeCheckpoint');
  const { force = false, resume = false, finishes = false } = options;
  if (force && resume) throw new TypeError('writeCheckpoint: expected at most one of force and resume');
  const mode = force ? 'force' : resume ? 'resume' : 'new';
  const virtual = VirtualCheckpoint.of(set, keys);
  const look = async (besides: boolean) => {
    const seen = await survey(folder, set, mode, { ...options, besides });
    const stretches = stretchesOf(set, virtual, seen);
    const left = sum(stretches.map(({ file, begin, end }) => end - Math.max(begin, file.head.length)));
    if (finishes && left > 0) throw incomplete(folder);
    return { seen, stretches, left };
  };
  const besides = finishes && (await isInParts(folder));
  let { seen, stretches, left } = await retried(['ENOENT'], () => look(besides)); // others rename what is looked at
  const bytes = sum(set.files.map((file) => file.dataBytes));
  const resumedBytes = bytes - left;
  const path = lastOf(folder, set);
  const written: Written = { ...writtenOf(folder, { set, keys, tensors, parameters }), resumedBytes };
  if (isFinished(set, seen)) return written;

  const made = await makeFolder(folder);
  const journal = new Recorder(folder, set, seen, finishes);
  try {
    await checkSpace(folder, bytes - resumedBytes, leftOf(seen));
    await journal.begin();
    // Whoever had the folder may have gone on until now.
    if (seen.owner !== undefined) ({ seen, stretches, left } = await look(true));
    else await refuseAppeared(folder, set, seen);
    await removeLeftovers(folder, journal.run, seen);
    await options.onBegin?.({
      path,
      tensors,
      files: set.files.length,
      bytes,
      doneBytes: resumedBytes,
    });
    await writeStretches(path, stretches, virtual, options, new RunOutlet(folder, set, seen, journal));
    await commit(folder, set, seen, journal, options.signal);
    for (const each of made.map(dirname)) await syncFolder(each);
    await removeLeftovers(folder, journal.run);
    await journal.end();
    await removeNames(folder, seen.leftovers.filter(isOrder));
  } catch (cause) {
    throw await giveUp(folder, journal, made, cause);
  }
  return written;
}

/**
 * The file that tells that all is there.
 *
 * @internal
 */
export function lastOf(folder: string, { index, files }: FileSet): string {
  return join(folder, index?.name ?? files[0]?.name ?? '');
}

/**
 * What is to be told of a checkpoint that is written, none of which was there before.
 *
 * @internal
 */
export function writtenOf(folder: string, { set, tensors, parameters }: Laid): Written {
  const { format, files } = set;
  const path = lastOf(folder, set);
  const bytes = sum(files.map(({ fileBytes }) => fileBytes));
  return { path, format, files: files.length, tensors, parameters, bytes, resumedBytes: 0, complete: true };
}

/**
 * The error for what cannot be finished yet.
 *
 * @internal
 */
export function incomplete(folder: string, what = ''): InputError {
  return new InputError(`${folder} is not complete${what}`, { path: folder, code: 'ERR_NNINIT_INCOMPLETE' });
}

async function isInParts(folder: string): Promise<boolean> {
  const journal = await readJournal(folder);
  return journal !== undefined && journal !== 'broken' && journal.parts;
}

function isFinished(set: FileSet, seen: Survey): boolean {
  return (
    seen.complete.size === set.files.length &&
    (set.index === undefined || seen.index) &&
    (set.config === undefined || seen.config) &&
    seen.journal === undefined &&
    seen.leftovers.length + seen.stale.length === 0
  );
}

/** What is removed or gone on with. */
function leftOf({ leftovers, partial }: Survey): Left {
  const begun = [...partial.values()];
  return {
    names: [...leftovers.filter((name) => !isOrder(name)), ...begun.map(({ file }) => file)],
    counted: sum(begun.map(({ bytes }) => bytes)),
  };
}

/** Removes what runs that were killed have left, also after it was looked at, but for what is gone on with. */
async function removeLeftovers(folder: string, run: string, seen?: Survey): Promise<void> {
  const begun = [...(seen?.partial.values() ?? [])].map(({ file }) => file);
  const used = new Set([...(seen?.held.values() ?? []), ...begun]);
  const names = await step('look at', folder, () => readdir(folder));
  await removeNames(
    folder,
    names.filter((name) => isLeftover(name) && !isOf(run, name) && !used.has(name) && !isOrder(name)),
  );
}

/**
 * After an error: keeps what another run can go on with, or else removes everything that was begun.
 *
 * @returns the error to be told
 */
async function giveUp(folder: string, journal: Recorder, made: readonly string[], cause: unknown): Promise<unknown> {
  await journal.stop();
  const names = await readdir(folder).catch((): string[] => []);
  // If it cannot be told, all stays.
  const isOurs = journal.begun && (await journal.isOurs().catch(() => undefined));
  if (isOurs !== false && (isOurs === undefined || journal.isWorthKeeping(names))) {
    // If even this fails (the disk is full), a later run sees that the process is gone.
    await journal.release().catch(() => {});
    if (saysResumable(cause)) cause.resumable = true;
    return cause;
  }
  const others = isOurs ? undefined : await readJournal(folder).catch(() => 'broken' as const);
  const ours = names.filter((name) =>
    isOurs ? isLeftover(name) || name === journalName : isOf(journal.run, name) && !mayUse(others, name),
  );
  await step('remove', folder, () => removeNames(folder, ours)).catch(() => {});
  await removeFolders(made);
  // Whatever went wrong then, this is why.
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  return journal.begun && !isOurs && isThere ? takenOver(folder, cause) : cause;
}

/** Whether a run that has taken the folder over may go on with a file. */
function mayUse(journal: Journal | 'broken' | undefined, name: string): boolean {
  if (journal === undefined) return false;
  return isHeld(name) || (journal !== 'broken' && Object.values(journal.progress).some(({ file }) => file === name));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
