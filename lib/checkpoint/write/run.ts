import { join } from 'node:path';
import { errorCode, InterruptedError, WriteError } from '../../core/errors.js';
import { get_num_threads } from '../../native/addon.js';
import { createPool, type Pool } from '../../pool/pool.js';
import type { Engine } from '../../random/generator.js';
import { type Executor, onPool, onThisThread } from '../virtual/executor.js';
import { dataBytesOf, makeSpan, type Span, spansOf, type VirtualFile } from '../virtual/file.js';
import type { FileSet } from '../virtual/layout.js';
import { pieceBytesOf, spanBytes, type VirtualCheckpoint } from '../virtual/virtual.js';
import { holdsBack, refuseThere } from './commit/commit.js';
import { PendingFile } from './commit/files.js';
import { heldName, pendingName } from './commit/journal.js';
import type { Survey } from './commit/survey.js';

/** How files are written; none of it changes a byte of them. */
export interface RunOptions {
  /** Who fills and writes; without one, a pool is made for the call where the work is worth it. */
  readonly pool?: Pool | undefined;
  /** Threads of such a pool, at most 8 of them; by default the number of set_num_threads. */
  readonly threads?: number | undefined;
  /** Worker threads of such a pool; 0 for none. By default as many as the work is worth. */
  readonly workers?: number | undefined;
  /** What is filled and written in one piece; rounded up to a multiple of 8. 1 MiB by default, 4 MiB for the engine torch. */
  readonly chunkBytes?: number | undefined;
  /** So many bytes of a file are synced and written down at a time, for a run that goes on after this one was killed. */
  readonly journalBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the bytes of tensors that this run has given to the system. */
  readonly onProgress?: ((written: number) => void) | undefined;
}

const defaultJournalBytes = 2 ** 30;

/** More threads write no faster to any disk, and each takes some 10 MB. */
const mostWorkers = 8;
/** Less work than this is done before a worker has started. */
const leastForWorkers = 32 * 2 ** 20;

/** Files that are open at a time, besides one for each worker: they begin or are synced. */
const spareFiles = 2;
/** Spans of a file that are under way at a time: the next one is there when workers are done with the first. */
const spansAhead = 2;

/** Called with the bytes of a file's tensors that are on the disk without a gap, or 'complete'. */
export type Progressed = (name: string, progress: number | 'complete') => Promise<void>;

/** Writes all files that are not complete yet. Nobody writes to them any more when it settles. */
export async function writeFiles(
  folder: string,
  set: FileSet,
  virtual: VirtualCheckpoint,
  seen: Survey,
  options: RunOptions,
  record: Progressed,
): Promise<void> {
  const names = set.files.map(({ name }) => name).filter((name) => !seen.complete.has(name) && !seen.held.has(name));
  if (names.length === 0) return;
  const files = names.map((name) => virtual.file(name));
  const bytes = files.reduce((sum, file) => sum + dataBytesOf(file), 0);
  const { executor, close } = executorFor(bytes, virtual.engine, options);
  const run = new FolderRun(folder, set, virtual, seen, options, record, executor);
  try {
    await run.all(files);
  } finally {
    run.end();
    await close();
  }
}

/** The caller's pool, or one for this call, or this thread for little work and where the system gives no threads. */
function executorFor(
  bytes: number,
  engine: Engine,
  { pool, threads = get_num_threads(), workers }: RunOptions,
): { executor: Executor; close: () => Promise<void> } {
  if (pool !== undefined) return { executor: onPool(pool, 'writeCheckpoint'), close: async () => {} };
  const wanted = workers ?? (bytes < leastForWorkers ? 0 : Math.min(threads, mostWorkers));
  const here = { executor: onThisThread(engine === 'torch' ? 1 : threads), close: async () => {} };
  if (wanted === 0) return here;
  try {
    const own = createPool({ threads: wanted });
    return { executor: onPool(own, 'writeCheckpoint'), close: () => own.close() };
  } catch (cause) {
    // At a limit on threads (ulimit -u, a container's).
    if (errorCode(cause) === 'ERR_WORKER_INIT_FAILED') return here;
    throw cause;
  }
}

/** A file that is being written. */
interface Active {
  readonly file: VirtualFile;
  readonly pending: PendingFile;
  /** Spans under way, with the bytes of each that are written; in order. */
  readonly spans: Map<Span, number>;
  /** All before this is written, or in a span under way. */
  begun: number;
  synced: number;
  syncing: Promise<void>;
}

/** Where the first byte is that may not be written yet. */
function writtenUpTo({ spans, begun }: Active): number {
  const [first] = spans.keys();
  return first?.begin ?? begun;
}

class FolderRun {
  readonly #folder: string;
  readonly #set: FileSet;
  readonly #virtual: VirtualCheckpoint;
  readonly #seen: Survey;
  readonly #options: RunOptions;
  readonly #record: Progressed;
  readonly #executor: Executor;
  readonly #pieceBytes: number;
  readonly #active = new Set<Active>();
  readonly #abort = new AbortController();
  readonly #stop = (): void => this.#abort.abort(new Error('stopped'));
  readonly #failures: unknown[] = [];
  #finishedBytes = 0;
  /** Files that are not complete. */
  #filesLeft = 0;
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(
    folder: string,
    set: FileSet,
    virtual: VirtualCheckpoint,
    seen: Survey,
    options: RunOptions,
    record: Progressed,
    executor: Executor,
  ) {
    this.#folder = folder;
    this.#set = set;
    this.#virtual = virtual;
    this.#seen = seen;
    this.#options = options;
    this.#record = record;
    this.#executor = executor;
    const { chunkBytes = pieceBytesOf[virtual.engine], signal } = options;
    this.#pieceBytes = Math.max(8, Math.ceil(chunkBytes / 8) * 8);
    signal?.addEventListener('abort', this.#stop);
    if (signal?.aborted) this.#stop(); // an abort that was is not told
  }

  async all(files: readonly VirtualFile[]): Promise<void> {
    this.#filesLeft = files.length;
    const underWay = new Set<Promise<void>>();
    for (const file of files) {
      if (this.#stopping) break;
      const writing = this.#write(file)
        .catch((cause) => this.#fail(cause))
        .finally(() => {
          this.#filesLeft -= 1;
          underWay.delete(writing);
        });
      underWay.add(writing);
      if (underWay.size >= this.#executor.workers + spareFiles) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    this.#refuseIfAborted();
    this.#look();
    // The first is the reason for all others.
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  end(): void {
    this.#options.signal?.removeEventListener('abort', this.#stop);
  }

  async #write(file: VirtualFile): Promise<void> {
    const active = await this.#open(file);
    const { pending } = active;
    this.#active.add(active);
    try {
      const from = active.begun;
      await this.#inTurn(() => this.#writeData(active));
      await active.syncing;
      await pending.finish();
      await this.#publish(pending, file.name);
      await this.#record(file.name, 'complete');
      this.#finishedBytes += dataBytesOf(file) - from;
    } finally {
      this.#active.delete(active);
      await active.syncing.catch(() => {}); // looked at above
      await pending.close().catch(() => {});
    }
  }

  async #open(file: VirtualFile): Promise<Active> {
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
    return { file, pending, spans: new Map(), begun: from, synced: from, syncing: Promise.resolve() };
  }

  /** One worker does one file after another; while it does, others are opened and synced. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#executor.workers > 1) return work();
    const mine = this.#lastTurn.then(work);
    this.#lastTurn = mine.catch(() => {});
    return mine;
  }

  /** Writes the tensors, a few spans at a time. Settles when none is under way. */
  async #writeData(active: Active): Promise<void> {
    const { file, spans } = active;
    const underWay = new Set<Promise<void>>();
    let failure: { readonly cause: unknown } | undefined;
    for (const span of spansOf(file, active.begun, dataBytesOf(file), Math.max(this.#pieceBytes, this.#spanBytes()))) {
      if (failure !== undefined || this.#stopping) break;
      spans.set(span, 0);
      active.begun = span.end;
      const writing = this.#writeSpan(active, span)
        .then(() => {
          spans.delete(span);
          this.#look();
          this.#lookAtJournal(active);
        })
        .catch((cause) => {
          failure ??= { cause };
        })
        .finally(() => underWay.delete(writing));
      underWay.add(writing);
      // Systems let one thread at a time write to a file: where there are several files, workers spread over them.
      while (underWay.size >= (this.#filesLeft > 1 ? 1 : spansAhead)) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    if (failure !== undefined) throw failure.cause;
    if (active.begun < dataBytesOf(file)) throw new Error(`${active.pending.path} was given up`); // whoever asked for that knows why
  }

  /** Less where the journal is written more often, as tests do. */
  #spanBytes(): number {
    const { journalBytes = defaultJournalBytes } = this.#options;
    return Math.min(spanBytes, journalBytes);
  }

  async #writeSpan(active: Active, span: Span): Promise<void> {
    const { file, pending, spans } = active;
    try {
      await makeSpan(
        file,
        span,
        { fd: pending.fd, position: file.head.length + span.begin },
        {
          executor: this.#executor,
          wholes: this.#virtual.wholes,
          pieceBytes: this.#pieceBytes,
          signal: this.#abort.signal,
          onProgress: (bytes) => {
            spans.set(span, bytes);
            this.#look();
          },
        },
      );
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

  /** Tells the progress. */
  #look(): void {
    let written = this.#finishedBytes;
    for (const active of this.#active) {
      written += active.begun - (this.#seen.partial.get(active.file.name) ?? 0);
      for (const [{ begin, end }, bytes] of active.spans) written -= end - begin - bytes;
    }
    try {
      this.#options.onProgress?.(written);
    } catch (cause) {
      this.#fail(cause); // nobody else would hear of it
      this.#stop();
    }
  }

  /** Has what is written so far put on the disk and written down, now and then. */
  #lookAtJournal(active: Active): void {
    const { journalBytes = defaultJournalBytes } = this.#options;
    const reached = writtenUpTo(active);
    const done = this.#stopping || reached === dataBytesOf(active.file);
    if (done || reached - active.synced < journalBytes) return;
    active.synced = Number.POSITIVE_INFINITY; // until this is through
    active.syncing = this.#sync(active, reached);
    active.syncing.catch((cause) => this.#fail(cause));
  }

  async #sync(active: Active, reached: number): Promise<void> {
    await active.pending.syncData();
    await this.#record(active.file.name, reached);
    active.synced = reached;
  }

  /** Whether nothing more is begun: after an abort, or a failure; what is under way at other files ends well then. */
  get #stopping(): boolean {
    return this.#abort.signal.aborted || this.#failures.length > 0;
  }

  #fail(cause: unknown): void {
    this.#failures.push(cause);
  }

  #refuseIfAborted(): void {
    const { signal } = this.#options;
    const name = this.#set.index?.name ?? this.#set.files[0]?.name ?? '';
    if (signal?.aborted) throw new InterruptedError(join(this.#folder, name), signal.reason);
  }
}
