import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { InterruptedError, WriteError } from '../../core/errors.js';
import type { FileSet, Format } from '../../formats/output-file.js';
import { tensor_files } from '../../formats/raw/files.js';
import { safetensors_files } from '../../formats/safetensors/shards.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { check_whole } from '../virtual/whole.js';
import { commit } from './commit/commit.js';
import { check_space, make_folder, remove_folders, remove_names, step, sync_folder } from './commit/files.js';
import { create_journal, is_leftover, type Journal, journal_name, update_journal } from './commit/journal.js';
import { this_process } from './commit/process.js';
import { type Survey, survey } from './commit/survey.js';
import { type RunOptions, write_files } from './run.js';

export interface WriteOptions extends RunOptions {
  /** safetensors by default; npy and raw make a file for each tensor. */
  readonly format?: Format | undefined;
  /** Bytes of tensors a shard of safetensors; 5·10^9 by default. A tensor that is larger gets a shard of its own. */
  readonly max_shard_size?: number | undefined;
  /** The text of config.json, where the model has one. */
  readonly config?: string | undefined;
  /** Replaces a checkpoint that is there already. */
  readonly force?: boolean | undefined;
  /** Goes on with a checkpoint that a run with the same arguments left unfinished, if there is one. */
  readonly resume?: boolean | undefined;
  /** Called when all checks are passed and the work begins. */
  readonly on_begin?: ((work: Work) => Promise<void>) | undefined;
}

/** What is to be done. */
export interface Work {
  /** What is written last, as in Written. */
  readonly path: string;
  readonly tensors: number;
  readonly files: number;
  /** Bytes of tensors that are to be written, and those that are there already. */
  readonly bytes: number;
  readonly done_bytes: number;
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
  readonly resumed_bytes: number;
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
export async function write_checkpoint(
  folder: string,
  tensors: readonly ResolvedTensor[],
  options: WriteOptions,
): Promise<Written> {
  const { force = false, resume = false } = options;
  if (force && resume) throw new TypeError('write_checkpoint: expected at most one of force and resume');
  check_whole(tensors);
  const set = files_of(tensors, options);
  const seen = await survey(folder, set, force ? 'force' : resume ? 'resume' : 'new');
  const to_write = set.files.filter(({ name }) => !seen.complete.has(name) && !seen.held.has(name));
  const bytes = sum(set.files.map((file) => file.data_bytes));
  const resumed_bytes = bytes - sum(to_write.map((file) => file.data_bytes - (seen.partial.get(file.name) ?? 0)));
  const path = join(folder, set.index?.name ?? set.files[0]?.name ?? '');
  const written: Written = {
    path,
    format: set.format,
    files: set.files.length,
    tensors: tensors.length,
    parameters: sum(tensors.map(({ elements }) => elements)),
    bytes: sum(set.files.map((file) => file.file_bytes)),
    resumed_bytes,
  };
  if (is_finished(set, seen)) return written;

  const made = await make_folder(folder);
  const journal = new Recorder(folder, set, seen);
  try {
    await check_space(folder, bytes - resumed_bytes);
    await journal.begin();
    await remove_names(folder, seen.leftovers);
    await options.on_begin?.({
      path,
      tensors: tensors.length,
      files: set.files.length,
      bytes,
      done_bytes: resumed_bytes,
    });
    await write_files(folder, set, seen, options, (name, progress) => journal.record(name, progress));
    await commit(folder, set, seen, { signal: options.signal, before_renames: () => journal.commit() });
    for (const each of made.map(dirname)) await sync_folder(each);
    await journal.end();
  } catch (cause) {
    await give_up(folder, journal, made, cause);
    throw cause;
  }
  return written;
}

/** The files that a model makes. */
function files_of(tensors: readonly ResolvedTensor[], options: WriteOptions): FileSet {
  const { format = 'safetensors' } = options;
  return format === 'safetensors' ? safetensors_files(tensors, options) : tensor_files(tensors, format, options);
}

function is_finished(set: FileSet, seen: Survey): boolean {
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
  worth_keeping: boolean;
  begun = false;
  #journal: Journal;
  readonly #existed: boolean;
  #last: Promise<void> = Promise.resolve();

  constructor(folder: string, set: FileSet, seen: Survey) {
    this.folder = folder;
    this.worth_keeping = seen.complete.size + seen.held.size + seen.partial.size > 0;
    this.#existed = seen.journal !== undefined || seen.broken_journal;
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
    this.#journal = { ...this.#journal, process: await this_process() };
    await (this.#existed ? update_journal : create_journal)(this.folder, this.#journal);
    this.begun = true;
  }

  /** A file has so many bytes of its tensors on the disk, or is complete. */
  async record(name: string, progress: number | 'complete'): Promise<void> {
    this.worth_keeping = true;
    const { [name]: _, ...others } = this.#journal.progress;
    // A complete file speaks for itself: no need to write that down at once.
    const now = progress === 'complete' ? others : { ...others, [name]: progress };
    this.#journal = { ...this.#journal, progress: now };
    if (progress !== 'complete') await this.#write();
  }

  async commit(): Promise<void> {
    this.worth_keeping = true;
    this.#journal = { ...this.#journal, committing: true };
    await this.#write();
  }

  async release(): Promise<void> {
    this.#journal = { ...this.#journal, process: null };
    await this.#write();
  }

  async end(): Promise<void> {
    await remove_names(this.folder, [journal_name]);
    await sync_folder(resolve(this.folder));
  }

  async #write(): Promise<void> {
    const journal = this.#journal;
    this.#last = this.#last.catch(() => {}).then(() => update_journal(this.folder, journal));
    await this.#last;
  }
}

/** After an error: keeps what another run can go on with, or else removes everything that was begun. */
async function give_up(folder: string, journal: Recorder, made: readonly string[], cause: unknown): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  if (journal.begun && journal.worth_keeping && names.includes(journal_name)) {
    // If even this fails (the disk is full), a later run sees that the process is gone.
    await journal.release().catch(() => {});
    if (cause instanceof WriteError || cause instanceof InterruptedError) cause.resumable = true;
    return;
  }
  const ours = journal.begun ? names.filter((name) => is_leftover(name) || name === journal_name) : [];
  await step('remove', folder, () => remove_names(folder, ours)).catch(() => {});
  await remove_folders(made);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
