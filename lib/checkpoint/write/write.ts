import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { InterruptedError, WriteError } from '../../core/errors.js';
import type { Format } from '../../formats/names.js';
import type { Keys } from '../../plan/keys.js';
import type { PlanSource, ResolvedTensor } from '../../plan/plan.js';
import type { FileSet } from '../virtual/layout.js';
import { fileSetOf } from '../virtual/tensor-files.js';
import { VirtualCheckpoint } from '../virtual/virtual.js';
import { checkWhole } from '../virtual/whole.js';
import { commit } from './commit/commit.js';
import { checkSpace, makeFolder, removeFolders, removeNames, step, syncFolder } from './commit/files.js';
import { createJournal, isLeftover, type Journal, journalName, updateJournal } from './commit/journal.js';
import { thisProcess } from './commit/process.js';
import { type Survey, survey } from './commit/survey.js';
import { type RunOptions, writeFiles } from './run.js';

export interface WriteOptions extends RunOptions {
  /** What the tensors are drawn from. */
  readonly keys: Keys;
  /** safetensors by default; npy and raw make a file for each tensor. */
  readonly format?: Format | undefined;
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
 */
export async function writeTensors(
  folder: string,
  tensors: readonly ResolvedTensor[],
  options: WriteOptions,
): Promise<Written> {
  checkWhole(tensors);
  return writeSet(folder, { set: fileSetOf(tensors, options), keys: options.keys, tensors }, options);
}

/** What is written: files laid out, what their tensors are drawn from, and the tensors. */
export interface Laid {
  readonly set: FileSet;
  readonly keys: Keys;
  readonly tensors: readonly ResolvedTensor[];
}

/** writeTensors, for what is laid out. */
export async function writeSet(
  folder: string,
  { set, keys, tensors }: Laid,
  options: Omit<WriteOptions, 'keys'>,
): Promise<Written> {
  const { force = false, resume = false } = options;
  if (force && resume) throw new TypeError('writeCheckpoint: expected at most one of force and resume');
  const seen = await survey(folder, set, force ? 'force' : resume ? 'resume' : 'new');
  const toWrite = set.files.filter(({ name }) => !seen.complete.has(name) && !seen.held.has(name));
  const bytes = sum(set.files.map((file) => file.dataBytes));
  const resumedBytes = bytes - sum(toWrite.map((file) => file.dataBytes - (seen.partial.get(file.name) ?? 0)));
  const path = join(folder, set.index?.name ?? set.files[0]?.name ?? '');
  const written: Written = {
    path,
    format: set.format,
    files: set.files.length,
    tensors: tensors.length,
    parameters: sum(tensors.map(({ elements }) => elements)),
    bytes: sum(set.files.map((file) => file.fileBytes)),
    resumedBytes,
  };
  if (isFinished(set, seen)) return written;

  const made = await makeFolder(folder);
  const journal = new Recorder(folder, set, seen);
  try {
    await checkSpace(folder, bytes - resumedBytes);
    await journal.begin();
    await removeNames(folder, seen.leftovers);
    await options.onBegin?.({
      path,
      tensors: tensors.length,
      files: set.files.length,
      bytes,
      doneBytes: resumedBytes,
    });
    await writeFiles(folder, set, new VirtualCheckpoint(set, keys), seen, options, (name, progress) =>
      journal.record(name, progress),
    );
    await commit(folder, set, seen, { signal: options.signal, beforeRenames: () => journal.commit() });
    for (const each of made.map(dirname)) await syncFolder(each);
    await journal.end();
  } catch (cause) {
    await giveUp(folder, journal, made, cause);
    throw cause;
  }
  return written;
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

/** Keeps the journal: in its own order, since two things may be written down at once. */
class Recorder {
  readonly folder: string;
  /** Whether something is there that a later run need not make again. */
  worthKeeping: boolean;
  begun = false;
  #journal: Journal;
  readonly #existed: boolean;
  #last: Promise<void> = Promise.resolve();

  constructor(folder: string, set: FileSet, seen: Survey) {
    this.folder = folder;
    this.worthKeeping = seen.complete.size + seen.held.size + seen.partial.size > 0;
    this.#existed = seen.journal !== undefined || seen.brokenJournal;
    this.#journal = {
      digest: set.digest,
      replaces: seen.replaces,
      committing: seen.journal?.committing ?? false,
      stale: [...seen.stale],
      process: null,
      progress: Object.fromEntries(seen.partial),
    };
  }

  async begin(): Promise<void> {
    this.#journal = { ...this.#journal, process: await thisProcess() };
    await (this.#existed ? updateJournal : createJournal)(this.folder, this.#journal);
    this.begun = true;
  }

  /** A file has so many bytes of its tensors on the disk, or is complete. */
  async record(name: string, progress: number | 'complete'): Promise<void> {
    this.worthKeeping = true;
    const { [name]: _, ...others } = this.#journal.progress;
    // A complete file speaks for itself: no need to write that down at once.
    const now = progress === 'complete' ? others : { ...others, [name]: progress };
    this.#journal = { ...this.#journal, progress: now };
    if (progress !== 'complete') await this.#write();
  }

  async commit(): Promise<void> {
    this.worthKeeping = true;
    this.#journal = { ...this.#journal, committing: true };
    await this.#write();
  }

  async release(): Promise<void> {
    this.#journal = { ...this.#journal, process: null };
    await this.#write();
  }

  async end(): Promise<void> {
    await removeNames(this.folder, [journalName]);
    await syncFolder(resolve(this.folder));
  }

  async #write(): Promise<void> {
    const journal = this.#journal;
    this.#last = this.#last.catch(() => {}).then(() => updateJournal(this.folder, journal));
    await this.#last;
  }
}

/** After an error: keeps what another run can go on with, or else removes everything that was begun. */
async function giveUp(folder: string, journal: Recorder, made: readonly string[], cause: unknown): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  if (journal.begun && journal.worthKeeping && names.includes(journalName)) {
    // If even this fails (the disk is full), a later run sees that the process is gone.
    await journal.release().catch(() => {});
    if (cause instanceof WriteError || cause instanceof InterruptedError) cause.resumable = true;
    return;
  }
  const ours = journal.begun ? names.filter((name) => isLeftover(name) || name === journalName) : [];
  await step('remove', folder, () => removeNames(folder, ours)).catch(() => {});
  await removeFolders(made);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
