import { errorCode, InterruptedError, PoolClosedError, WriteError } from '../../core/errors.js';
import { get_num_threads } from '../../native/addon.js';
import type { Pool } from '../../pool/pool.js';
import type { Engine } from '../../random/generator.js';
import { type Executor, onPool, onThisThread } from '../virtual/executor.js';
import { makeSpan, type Span, spansOf, type VirtualFile } from '../virtual/file.js';
import { partsOf } from '../virtual/range.js';
import { pieceBytesOf, spanBytes, type VirtualCheckpoint } from '../virtual/virtual.js';
import type { PendingFile } from './commit/files.js';
import type { Outlet, Stretch } from './outlet.js';
import { poolForCall, takesLong } from './workers.js';

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

/** Less work than this is done before a worker has started. */
export const leastForWorkers = 32 * 2 ** 20;

/** Files that are open at a time, besides one for each worker: they begin or are synced. */
const spareFiles = 2;
/** Spans of a file that are under way at a time: the next one is there when workers are done with the first. */
const spansAhead = 2;

/**
 * Writes stretches of files. Nobody writes to them any more when it settles.
 *
 * @param path what is to be complete in the end, for errors
 */
export async function writeStretches(
  path: string,
  stretches: readonly Stretch[],
  virtual: VirtualCheckpoint,
  options: RunOptions,
  outlet: Outlet,
): Promise<void> {
  if (stretches.length === 0) return;
  const { executor, close } = executorFor(stretches, virtual.engine, options);
  const run = new Run(path, virtual, options, outlet, executor);
  try {
    await run.all(stretches);
  } catch (cause) {
    close().catch(() => {}); // its threads may still be starting: nobody need wait for that
    throw cause;
  } finally {
    run.end();
  }
  await close();
}

/** In Deno the descriptor of a file that one thread opened is none to the others. */
const threadsShareFiles = process.versions.deno === undefined;

/** The caller's pool, or one for this call, or this thread for little work and where the system gives no threads that can write. */
function executorFor(
  stretches: readonly Stretch[],
  engine: Engine,
  { pool, threads = get_num_threads(), workers }: RunOptions,
): { executor: Executor; close: () => Promise<void> } {
  if (pool !== undefined && threadsShareFiles) {
    return { executor: onPool(pool, 'writeCheckpoint'), close: async () => {} };
  }
  const bytes = stretches.reduce((sum, { begin, end }) => sum + end - begin, 0);
  const isLittle =
    bytes < leastForWorkers &&
    !stretches.some(({ file }) => partsOf(file.tensors, 0, file.size).some(({ tensor }) => takesLong(tensor)));
  const wanted = workers ?? (isLittle ? 0 : threads);
  const own = wanted === 0 || !threadsShareFiles ? undefined : poolForCall(wanted);
  if (own !== undefined) return { executor: onPool(own, 'writeCheckpoint'), close: () => own.close() };
  return { executor: onThisThread(engine === 'torch' ? 1 : threads), close: async () => {} };
}

/** A stretch that is being written; places count from the file's first tensor. */
interface Active {
  readonly stretch: Stretch;
  readonly file: VirtualFile;
  readonly pending: PendingFile;
  readonly begin: number;
  readonly end: number;
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

class Run {
  readonly #path: string;
  readonly #virtual: VirtualCheckpoint;
  readonly #options: RunOptions;
  readonly #outlet: Outlet;
  readonly #executor: Executor;
  readonly #pieceBytes: number;
  readonly #active = new Set<Active>();
  readonly #abort = new AbortController();
  readonly #stop = (): void => this.#abort.abort(new Error('stopped'));
  readonly #failures: unknown[] = [];
  #finishedBytes = 0;
  /** Stretches that are not written. */
  #left = 0;
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(path: string, virtual: VirtualCheckpoint, options: RunOptions, outlet: Outlet, executor: Executor) {
    this.#path = path;
    this.#virtual = virtual;
    this.#options = options;
    this.#outlet = outlet;
    this.#executor = executor;
    const { chunkBytes = pieceBytesOf[virtual.engine], signal } = options;
    this.#pieceBytes = Math.max(8, Math.ceil(chunkBytes / 8) * 8);
    signal?.addEventListener('abort', this.#stop);
    if (signal?.aborted) this.#stop(); // an abort that was is not told
  }

  async all(stretches: readonly Stretch[]): Promise<void> {
    this.#left = stretches.length;
    const underWay = new Set<Promise<void>>();
    for (const stretch of stretches) {
      if (this.#stopping) break;
      const writing = this.#write(stretch)
        .catch((cause) => this.#fail(cause))
        .finally(() => {
          this.#left -= 1;
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

  async #write(stretch: Stretch): Promise<void> {
    const active = await this.#open(stretch);
    const { pending, begin, end } = active;
    this.#active.add(active);
    try {
      await this.#inTurn(() => this.#writeData(active));
      await active.syncing;
      await this.#outlet.finish(stretch, pending);
      this.#finishedBytes += end - begin;
    } finally {
      this.#active.delete(active);
      await active.syncing.catch(() => {}); // looked at above
      await pending.close().catch(() => {});
    }
  }

  async #open(stretch: Stretch): Promise<Active> {
    const { file } = stretch;
    const { head } = file;
    const pending = await this.#outlet.open(stretch);
    try {
      const text = head.subarray(stretch.begin, stretch.end);
      if (text.length > 0) await pending.write(text, stretch.begin);
    } catch (cause) {
      await pending.close().catch(() => {});
      throw cause;
    }
    const begin = Math.max(0, stretch.begin - head.length);
    const end = Math.max(0, stretch.end - head.length);
    const begun = { begun: begin, synced: begin, syncing: Promise.resolve() };
    return { stretch, file, pending, begin, end, spans: new Map(), ...begun };
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
    for (const span of spansOf(file, active.begin, active.end, Math.max(this.#pieceBytes, this.#spanBytes()))) {
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
      while (underWay.size >= (this.#left > 1 ? 1 : spansAhead)) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    if (failure !== undefined) throw failure.cause;
    if (active.begun < active.end) throw new Error(`${active.pending.path} was given up`); // whoever asked for that knows why
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
      const ours = errorCode(cause) === undefined || cause instanceof PoolClosedError || cause instanceof RangeError;
      throw ours ? cause : new WriteError('write', pending.path, cause);
    }
  }

  /** Tells the progress. */
  #look(): void {
    let written = this.#finishedBytes;
    for (const active of this.#active) {
      written += active.begun - active.begin;
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
    const done = this.#stopping || reached === active.end;
    if (done || reached - active.synced < journalBytes) return;
    active.synced = Number.POSITIVE_INFINITY; // until this is through
    active.syncing = this.#sync(active, reached);
    active.syncing.catch((cause) => this.#fail(cause));
  }

  async #sync(active: Active, reached: number): Promise<void> {
    await active.pending.syncData();
    await this.#outlet.record(active.stretch, active.pending, reached);
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
    if (signal?.aborted) throw new InterruptedError(this.#path, signal.reason);
  }
}
