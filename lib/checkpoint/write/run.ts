import { join } from 'node:path';
import { error_code, InterruptedError, WriteError } from '../../core/errors.js';
import type { FileSet, OutputFile } from '../../formats/output-file.js';
import { get_num_threads } from '../../native/addon.js';
import type { Keys } from '../../plan/keys.js';
import type { KeyedTensor } from '../virtual/chunks.js';
import { holds_back, refuse_there } from './commit/commit.js';
import { PendingFile } from './commit/files.js';
import { held_name, pending_name } from './commit/journal.js';
import type { Survey } from './commit/survey.js';
import { type Crew, make_crew } from './crew.js';
import { ask_to_stop, bytes_written, is_complete, type Shared, share, written_up_to } from './work.js';

/** How files are written; none of it changes a byte of them. */
export interface RunOptions {
  /** What the tensors are drawn from. */
  readonly keys: Keys;
  /** Threads that fill and write; by default the number of set_num_threads. Of these at most 8 are workers. */
  readonly threads?: number | undefined;
  /** Worker threads; 0 for none. By default as many as the work is worth. */
  readonly workers?: number | undefined;
  /** What a thread fills and writes in one piece; rounded up to a multiple of 8. 1 MiB by default, 4 MiB for the engine torch. */
  readonly chunk_bytes?: number | undefined;
  /** So many bytes of a file are synced and written down at a time, for a run that goes on after this one was killed. */
  readonly journal_bytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the bytes of tensors that this run has given to the system. */
  readonly on_progress?: ((written: number) => void) | undefined;
}

/**
 * Written by one system call, and still in the processor's cache then. The engine torch takes up to a millisecond to find its place,
 * which pieces of 1 MiB feel: 2.3 GB/s on a thread, against 7.8 of 4 MiB.
 */
const default_chunk_bytes = { philox: 2 ** 20, torch: 2 ** 22 } as const;
const default_journal_bytes = 2 ** 30;

/** More threads write no faster to any disk, and each takes some 10 MB. */
const most_workers = 8;
/** Less work than this is done before a worker has started. */
const least_for_workers = 32 * 2 ** 20;

/** Files that are open at a time, besides one for each thread: they begin or are synced. */
const spare_files = 2;
const milliseconds_between_looks = 100;

/** Called with the bytes of a file's tensors that are on the disk without a gap, or 'complete'. */
export type Progressed = (name: string, progress: number | 'complete') => Promise<void>;

/** Writes all files that are not complete yet. Nobody writes to them any more when it settles. */
export async function write_files(
  folder: string,
  set: FileSet,
  seen: Survey,
  options: RunOptions,
  record: Progressed,
): Promise<void> {
  const files = set.files.filter(({ name }) => !seen.complete.has(name) && !seen.held.has(name));
  if (files.length === 0) return;
  const run = new Run(folder, set, seen, options, record, files);
  try {
    await run.all(files);
  } finally {
    await run.close();
  }
}

interface Active {
  readonly file: OutputFile;
  readonly pending: PendingFile;
  readonly shared: Shared;
  synced: number;
  syncing: Promise<void>;
}

class Run {
  readonly #folder: string;
  readonly #set: FileSet;
  readonly #seen: Survey;
  readonly #options: RunOptions;
  readonly #record: Progressed;
  readonly #crew: Crew;
  readonly #chunk_bytes: number;
  readonly #threads: number;
  readonly #whole = new Int32Array(new SharedArrayBuffer(4));
  readonly #active = new Set<Active>();
  readonly #timer: NodeJS.Timeout;
  readonly #stop = (): void => this.#stop_all();
  readonly #failures: unknown[] = [];
  #stopping = false;
  #finished_bytes = 0;
  #jobs = 0;

  constructor(
    folder: string,
    set: FileSet,
    seen: Survey,
    options: RunOptions,
    record: Progressed,
    files: readonly OutputFile[],
  ) {
    this.#folder = folder;
    this.#set = set;
    this.#seen = seen;
    this.#options = options;
    this.#record = record;
    this.#threads = options.threads ?? get_num_threads();
    const bytes = files.reduce((sum, { data_bytes }) => sum + data_bytes, 0);
    const { workers = bytes < least_for_workers ? 0 : Math.min(this.#threads, most_workers) } = options;
    const wanted = Math.min(options.chunk_bytes ?? default_chunk_bytes[options.keys.engine], bytes);
    this.#chunk_bytes = Math.max(8, Math.ceil(wanted / 8) * 8);
    this.#crew = make_crew(workers, this.#chunk_bytes, () => this.#look());
    options.signal?.addEventListener('abort', this.#stop);
    if (options.signal?.aborted) this.#stop_all(); // an abort that was is not told
    this.#timer = setInterval(() => this.#look(), milliseconds_between_looks);
  }

  async all(files: readonly OutputFile[]): Promise<void> {
    const under_way = new Set<Promise<void>>();
    for (const file of files) {
      if (this.#stopping) break;
      // One after another, so that the crew gets them in order.
      const active = await this.#open(file).catch((cause) => this.#fail(cause));
      if (active === undefined) break;
      const writing = this.#write(active)
        .catch((cause) => this.#fail(cause))
        .finally(() => under_way.delete(writing));
      under_way.add(writing);
      if (under_way.size >= this.#crew.threads + spare_files) await Promise.race(under_way);
    }
    await Promise.all(under_way);
    this.#refuse_if_aborted();
    this.#look();
    // The first is the reason for all others.
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#stop);
    await this.#crew.close();
  }

  async #open(file: OutputFile): Promise<Active> {
    const { name } = file;
    const from = this.#seen.partial.get(name) ?? 0;
    const path = join(this.#folder, name);
    const temporary = join(this.#folder, pending_name(this.#set.digest, name));
    const pending = await (from > 0
      ? PendingFile.reopen(path, temporary)
      : PendingFile.create(path, temporary, { replace: true }));
    try {
      await pending.write(file.head, 0);
    } catch (cause) {
      await pending.close().catch(() => {});
      throw cause;
    }
    const shared = share(this.#crew.threads, this.#whole);
    const active = { file, pending, shared, synced: from, syncing: Promise.resolve() };
    this.#active.add(active);
    return active;
  }

  async #write(active: Active): Promise<void> {
    const { file, pending, shared } = active;
    try {
      await this.#write_data(active);
      await active.syncing;
      if (!is_complete(shared)) throw new Error(`${pending.path} was given up`); // whoever asked for that knows why
      await pending.finish();
      await this.#publish(pending, file.name);
      await this.#record(file.name, 'complete');
      this.#finished_bytes += bytes_written(shared);
    } finally {
      this.#active.delete(active);
      await active.syncing.catch(() => {}); // looked at above
      await pending.close().catch(() => {});
    }
  }

  async #write_data({ file, pending, shared, synced: from }: Active): Promise<void> {
    if (this.#stopping) ask_to_stop(shared);
    const { keys } = this.#options;
    const tensors = file.tensors.map((tensor): KeyedTensor => ({ ...tensor, key: keys.of(tensor) }));
    try {
      await this.#crew.run({
        id: this.#jobs++,
        fd: pending.fd,
        head_bytes: file.head.length,
        tensors,
        chunk_bytes: this.#chunk_bytes,
        from,
        threads: this.#threads,
        shared,
      });
    } catch (cause) {
      throw error_code(cause) === undefined ? cause : new WriteError('write', pending.path, cause);
    }
  }

  async #publish(pending: PendingFile, name: string): Promise<void> {
    if (holds_back(this.#set, this.#seen)) {
      await pending.publish(join(this.#folder, held_name(this.#set.digest, name)));
      return;
    }
    await refuse_there(pending.path);
    await pending.publish();
  }

  /** Tells the progress, and has what is written so far put on the disk and written down. */
  #look(): void {
    let written = this.#finished_bytes;
    for (const active of this.#active) {
      written += bytes_written(active.shared);
      const { file, shared, synced } = active;
      const reached = Math.min(written_up_to(shared), file.data_bytes);
      const { journal_bytes = default_journal_bytes } = this.#options;
      if (this.#stopping || reached === file.data_bytes || reached - synced < journal_bytes) continue;
      active.synced = Number.POSITIVE_INFINITY; // until this is through
      active.syncing = this.#sync(active, reached);
      active.syncing.catch(() => ask_to_stop(shared));
    }
    try {
      this.#options.on_progress?.(written);
    } catch (cause) {
      this.#fail(cause); // nobody else would hear of it
    }
  }

  async #sync(active: Active, reached: number): Promise<void> {
    await active.pending.sync_data();
    await this.#record(active.file.name, reached);
    active.synced = reached;
  }

  #fail(cause: unknown): void {
    this.#failures.push(cause);
    this.#stop_all();
  }

  #stop_all(): void {
    this.#stopping = true;
    for (const { shared } of this.#active) ask_to_stop(shared);
  }

  #refuse_if_aborted(): void {
    const { signal } = this.#options;
    const name = this.#set.index?.name ?? this.#set.files[0]?.name ?? '';
    if (signal?.aborted) throw new InterruptedError(join(this.#folder, name), signal.reason);
  }
}
