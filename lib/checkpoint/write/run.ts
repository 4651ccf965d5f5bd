import { join } from 'node:path';
import { errorCode, InterruptedError, WriteError } from '../../core/errors.js';
import { get_num_threads } from '../../native/addon.js';
import type { Keys } from '../../plan/keys.js';
import type { KeyedTensor } from '../virtual/chunks.js';
import type { FileSet, OutputFile } from '../virtual/layout.js';
import { holdsBack, refuseThere } from './commit/commit.js';
import { PendingFile } from './commit/files.js';
import { heldName, pendingName } from './commit/journal.js';
import type { Survey } from './commit/survey.js';
import { type Crew, makeCrew } from './crew.js';
import { askToStop, bytesWritten, isComplete, type Shared, share, writtenUpTo } from './work.js';

/** How files are written; none of it changes a byte of them. */
export interface RunOptions {
  /** What the tensors are drawn from. */
  readonly keys: Keys;
  /** Threads that fill and write; by default the number of set_num_threads. Of these at most 8 are workers. */
  readonly threads?: number | undefined;
  /** Worker threads; 0 for none. By default as many as the work is worth. */
  readonly workers?: number | undefined;
  /** What a thread fills and writes in one piece; rounded up to a multiple of 8. 1 MiB by default, 4 MiB for the engine torch. */
  readonly chunkBytes?: number | undefined;
  /** So many bytes of a file are synced and written down at a time, for a run that goes on after this one was killed. */
  readonly journalBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the bytes of tensors that this run has given to the system. */
  readonly onProgress?: ((written: number) => void) | undefined;
}

/**
 * Written by one system call, and still in the processor's cache then. The engine torch takes up to a millisecond to find its place,
 * which pieces of 1 MiB feel: 2.3 GB/s on a thread, against 7.8 of 4 MiB.
 */
const defaultChunkBytes = { philox: 2 ** 20, torch: 2 ** 22 } as const;
const defaultJournalBytes = 2 ** 30;

/** More threads write no faster to any disk, and each takes some 10 MB. */
const mostWorkers = 8;
/** Less work than this is done before a worker has started. */
const leastForWorkers = 32 * 2 ** 20;

/** Files that are open at a time, besides one for each thread: they begin or are synced. */
const spareFiles = 2;
const millisecondsBetweenLooks = 100;

/** Called with the bytes of a file's tensors that are on the disk without a gap, or 'complete'. */
export type Progressed = (name: string, progress: number | 'complete') => Promise<void>;

/** Writes all files that are not complete yet. Nobody writes to them any more when it settles. */
export async function writeFiles(
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
  readonly #chunkBytes: number;
  readonly #threads: number;
  readonly #whole = new Int32Array(new SharedArrayBuffer(4));
  readonly #active = new Set<Active>();
  readonly #timer: NodeJS.Timeout;
  readonly #stop = (): void => this.#stopAll();
  readonly #failures: unknown[] = [];
  #stopping = false;
  #finishedBytes = 0;
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
    const bytes = files.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
    const { workers = bytes < leastForWorkers ? 0 : Math.min(this.#threads, mostWorkers) } = options;
    const wanted = Math.min(options.chunkBytes ?? defaultChunkBytes[options.keys.engine], bytes);
    this.#chunkBytes = Math.max(8, Math.ceil(wanted / 8) * 8);
    this.#crew = makeCrew(workers, this.#chunkBytes, () => this.#look());
    options.signal?.addEventListener('abort', this.#stop);
    if (options.signal?.aborted) this.#stopAll(); // an abort that was is not told
    this.#timer = setInterval(() => this.#look(), millisecondsBetweenLooks);
  }

  async all(files: readonly OutputFile[]): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (const file of files) {
      if (this.#stopping) break;
      // One after another, so that the crew gets them in order.
      const active = await this.#open(file).catch((cause) => this.#fail(cause));
      if (active === undefined) break;
      const writing = this.#write(active)
        .catch((cause) => this.#fail(cause))
        .finally(() => underWay.delete(writing));
      underWay.add(writing);
      if (underWay.size >= this.#crew.threads + spareFiles) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    this.#refuseIfAborted();
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
    const temporary = join(this.#folder, pendingName(this.#set.digest, name));
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
      await this.#writeData(active);
      await active.syncing;
      if (!isComplete(shared)) throw new Error(`${pending.path} was given up`); // whoever asked for that knows why
      await pending.finish();
      await this.#publish(pending, file.name);
      await this.#record(file.name, 'complete');
      this.#finishedBytes += bytesWritten(shared);
    } finally {
      this.#active.delete(active);
      await active.syncing.catch(() => {}); // looked at above
      await pending.close().catch(() => {});
    }
  }

  async #writeData({ file, pending, shared, synced: from }: Active): Promise<void> {
    if (this.#stopping) askToStop(shared);
    const { keys } = this.#options;
    const tensors = file.tensors.map((tensor): KeyedTensor => ({ ...tensor, key: keys.of(tensor) }));
    try {
      await this.#crew.run({
        id: this.#jobs++,
        fd: pending.fd,
        headBytes: file.head.length,
        tensors,
        chunkBytes: this.#chunkBytes,
        from,
        threads: this.#threads,
        shared,
      });
    } catch (cause) {
      throw errorCode(cause) === undefined ? cause : new WriteError('write', pending.path, cause);
    }
  }

  async #publish(pending: PendingFile, name: string): Promise<void> {
    if (holdsBack(this.#set, this.#seen)) {
      await pending.publish(join(this.#folder, heldName(this.#set.digest, name)));
      return;
    }
    await refuseThere(pending.path);
    await pending.publish();
  }

  /** Tells the progress, and has what is written so far put on the disk and written down. */
  #look(): void {
    let written = this.#finishedBytes;
    for (const active of this.#active) {
      written += bytesWritten(active.shared);
      const { file, shared, synced } = active;
      const reached = Math.min(writtenUpTo(shared), file.dataBytes);
      const { journalBytes = defaultJournalBytes } = this.#options;
      if (this.#stopping || reached === file.dataBytes || reached - synced < journalBytes) continue;
      active.synced = Number.POSITIVE_INFINITY; // until this is through
      active.syncing = this.#sync(active, reached);
      active.syncing.catch(() => askToStop(shared));
    }
    try {
      this.#options.onProgress?.(written);
    } catch (cause) {
      this.#fail(cause); // nobody else would hear of it
    }
  }

  async #sync(active: Active, reached: number): Promise<void> {
    await active.pending.syncData();
    await this.#record(active.file.name, reached);
    active.synced = reached;
  }

  #fail(cause: unknown): void {
    this.#failures.push(cause);
    this.#stopAll();
  }

  #stopAll(): void {
    this.#stopping = true;
    for (const { shared } of this.#active) askToStop(shared);
  }

  #refuseIfAborted(): void {
    const { signal } = this.#options;
    const name = this.#set.index?.name ?? this.#set.files[0]?.name ?? '';
    if (signal?.aborted) throw new InterruptedError(join(this.#folder, name), signal.reason);
  }
}
