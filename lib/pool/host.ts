import type { Worker } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { errorCode } from '../core/errors.js';
import { compiledFile, vendored } from '../core/package-files.js';
import { strerror } from '../core/strerror.js';
import { BusyTime } from './busy-time.js';
import { workerYoungGenerationMb } from './memory.js';
import type { Message, Report, WorkerData } from './messages.js';
import { usualNiceness } from './settings.js';

/** Workers that may die one after another without any work done before the pool gives up. */
const mostFailures = 4;

/** One that a worker is at, and one that it finds when that is done: asking this thread for more would take longer than small tasks do. */
export const tasksAtWorker = 2;

/** The least busy thread, but none that has ended, or that the system refused. */
const leastBusy: NonNullable<NonNullable<ConstructorParameters<typeof Piscina>[0]>['loadBalancer']> = (_, workers) => {
  let usage = tasksAtWorker;
  let least: (typeof workers)[number] | null = null;
  for (const worker of workers) {
    if (worker.id === -1 || worker.currentUsage >= usage) continue;
    usage = worker.currentUsage;
    least = worker;
  }
  return least;
};

/** What a thread says when it has loaded what it runs, and not before; or that it has ended. */
const hasLoaded = (thread: Worker): Promise<void> =>
  new Promise((resolve) => {
    thread.once('message', () => resolve());
    thread.once('exit', () => resolve());
  });

/** Loaded when a pool is made: it takes longer than all of nninit. */
function piscinaClass(): typeof Piscina {
  return (vendored('piscina') as { Piscina: typeof Piscina }).Piscina;
}

/** With the code that the system's own refusal has. */
function notStarted(cause: unknown): Error {
  const why = cause === undefined ? '' : `: ${strerror(cause)}`;
  const error = new Error(`the pool's worker threads do not start${why}`, { cause });
  const code = errorCode(cause);
  return code === undefined ? error : Object.assign(error, { code });
}

/** The threads: Piscina, and the care that whoever waits for them never waits in vain. */
export class Host {
  readonly piscina: Piscina<Message, Report>;
  readonly #threads: number;
  readonly #onBroken: (error: Error) => void;
  readonly #busy: BusyTime;
  readonly #running = new Set<Promise<Report>>();
  readonly #loaded = new WeakSet<Worker>();
  #tasks = 0;
  #failures = 0;
  #lastError: unknown;
  #closed = false;
  #isBroken = false;
  #tellBroken: () => void = () => undefined;
  readonly #broken = new Promise<void>((resolve) => {
    this.#tellBroken = resolve;
  });

  /**
   * @param onBroken called once if threads cannot be had: then no task will ever come back
   * @param niceness of the threads
   * @param filename what they run
   * @throws Error (ERR_WORKER_INIT_FAILED) where the system gives no threads
   */
  constructor(
    threads: number,
    onBroken: (error: Error) => void,
    niceness = usualNiceness,
    filename = compiledFile('lib/pool/worker'),
  ) {
    this.#threads = threads;
    this.#onBroken = onBroken;
    this.#busy = new BusyTime(threads);
    this.piscina = new (piscinaClass())<Message, Report>({
      filename,
      name: 'work',
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: tasksAtWorker,
      loadBalancer: leastBusy,
      workerData: { niceness } satisfies WorkerData,
      resourceLimits: { maxYoungGenerationSizeMb: workerYoungGenerationMb },
    });
    this.piscina.on('error', (error: unknown) => {
      this.#lastError = error;
    });
    const first = new WeakSet(this.piscina.threads);
    for (const thread of this.piscina.threads) thread.once('message', () => this.#loaded.add(thread));
    // Of the first ones Piscina says so at once; of each later one, whatever it was started for, when it has loaded.
    this.piscina.on('workerCreate', ({ id }: { readonly id: number }) => {
      for (const thread of this.piscina.threads) {
        if (thread.threadId === id && !first.has(thread)) this.#loaded.add(thread);
      }
    });
    // A little later each time: a system that refuses threads may have some again.
    this.piscina.on('workerDestroy', () => setTimeout(() => this.#revive(), 50 * this.#failures));
    const refused = this.piscina.threads.find((thread) => 'refusal' in thread) as { refusal: unknown } | undefined;
    if (refused !== undefined) {
      void this.close();
      throw notStarted(refused.refusal);
    }
  }

  /** The share of all threads' time that was spent in tasks. Piscina's own is a thousandth of it, and counts those that wait behind another one. */
  get utilization(): number {
    return this.#busy.share;
  }

  /** Runs a task. Rejects if its worker died, and for nothing else. */
  async run(message: Message): Promise<Report> {
    this.#tasks++;
    this.#busy.begin();
    let running: Promise<Report> | undefined;
    try {
      running = this.piscina.run(message);
      this.#running.add(running);
      const report = await running;
      this.#failures = 0;
      return report;
    } finally {
      this.#busy.end();
      this.#tasks--;
      if (running !== undefined) this.#running.delete(running);
    }
  }

  /** Ends the threads when they are through with what they were given; nobody may give them more. */
  async close(): Promise<void> {
    // Not while they start: Node 20 aborts the process if a thread is ended while it loads a module, or an addon, as the first task does.
    if (!this.#isBroken) await Promise.race([this.#broken, this.#quiet()]);
    this.#closed = true;
    await this.piscina.destroy();
  }

  /** Resolves when no thread is at a task, nor at loading. */
  async #quiet(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    while (true) {
      const loading = this.piscina.threads.filter((thread) => !this.#loaded.has(thread));
      if (loading.length === 0) return;
      for (const thread of loading) thread.ref(); // an idle one does not keep the process from ending
      await Promise.all(loading.map(hasLoaded));
    }
  }

  /** Piscina replaces a worker that dies at work, but not one that dies while it starts: its tasks would wait forever. */
  #revive(): void {
    if (this.#closed || this.#isBroken || this.#tasks === 0 || this.piscina.threads.length >= this.#threads) return;
    if (++this.#failures > mostFailures) {
      if (this.piscina.threads.length > 0) return; // the others do the work
      this.#isBroken = true;
      this.#tellBroken();
      this.#onBroken(notStarted(this.#lastError));
      return;
    }
    const ping = this.piscina.run({ kind: 'ping' }).catch(() => undefined); // makes Piscina start a thread
    this.#running.add(ping);
    void ping.finally(() => this.#running.delete(ping));
  }
}
