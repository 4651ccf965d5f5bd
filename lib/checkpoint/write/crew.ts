import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { errorCode } from '../../core/errors.js';
import { compiledFile } from '../../core/package-files.js';
import { askToStop, type Job, workOn } from './work.js';
import type { Answer, SentError } from './worker.js';

/** Those who write a job's chunks. */
export interface Crew {
  /** How many share a job: `shared` has a place for each. */
  readonly threads: number;
  /** Settles when nobody works on the job any more; of several jobs given at once each thread does one after another. */
  run(job: Job): Promise<void>;
  close(): Promise<void>;
}

/**
 * So many worker threads, or as many as the system gives; or this thread alone.
 *
 * @param onChunk called after each chunk that this thread has written
 */
export function makeCrew(threads: number, chunkBytes: number, onChunk: () => void): Crew {
  const workers = startWorkers(threads, chunkBytes);
  return workers.length === 0 ? crewOfOne(chunkBytes, onChunk) : crewOfWorkers(workers);
}

/** This thread alone, a chunk at a time: for little work, since threads take some 40 ms to start. */
function crewOfOne(chunkBytes: number, onChunk: () => void): Crew {
  const buffer = new ArrayBuffer(chunkBytes);
  let last: Promise<void> = Promise.resolve();
  const runOne = async (job: Job): Promise<void> => {
    for (const _ of workOn(job, 0, buffer)) {
      onChunk();
      await setImmediate(); // signals and timers have their turn
    }
  };
  return {
    threads: 1,
    run: (job) => {
      const running = last.then(() => runOne(job));
      last = running.catch(() => {});
      return running;
    },
    close: () => last,
  };
}

function startWorkers(threads: number, chunkBytes: number): Worker[] {
  const workers: Worker[] = [];
  try {
    for (let thread = 0; thread < threads; thread++) {
      workers.push(new Worker(compiledFile('lib/checkpoint/write/worker'), { workerData: { thread, chunkBytes } }));
    }
  } catch (cause) {
    // At a limit on threads (ulimit -u, a container's): those that are there do the work.
    if (errorCode(cause) === 'ERR_WORKER_INIT_FAILED') return workers;
    for (const worker of workers) void worker.terminate();
    throw cause;
  }
  return workers;
}

/** Jobs that have been given to all threads, until each has answered. */
class RunningJobs {
  readonly #jobs = new Map<number, Running>();

  begin(job: Job, threads: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: unknown) => (error === undefined ? resolve() : reject(error));
      this.#jobs.set(job.id, { job, waiting: threads, error: undefined, settle });
    });
  }

  /** One thread is done with a job. The first error is the job's, when all are. */
  answered(id: number, error: unknown): void {
    const one = this.#jobs.get(id);
    if (one === undefined) return;
    one.error ??= error;
    one.waiting -= 1;
    if (one.waiting > 0) return;
    this.#jobs.delete(id);
    one.settle(one.error);
  }

  askToStop(): void {
    for (const { job } of this.#jobs.values()) askToStop(job.shared);
  }
}

interface Running {
  readonly job: Job;
  waiting: number;
  error: unknown;
  readonly settle: (error: unknown) => void;
}

/** Worker threads that fill and write by themselves; between them there is only the counter of chunks. */
function crewOfWorkers(started: readonly Worker[]): Crew {
  const running = new RunningJobs();
  let broken: unknown;
  const workers = started.map((worker) => {
    const owed = new Set<number>();
    worker.on('message', ({ id, error }: Answer) => {
      owed.delete(id);
      running.answered(id, error === undefined ? undefined : received(error));
    });
    // A thread that ends answers nothing more: what it still owed has failed.
    const lost = (why: unknown): void => {
      broken ??= why;
      running.askToStop();
      for (const id of owed) running.answered(id, why);
      owed.clear();
    };
    worker.on('error', lost);
    worker.on('exit', (code) => lost(new Error(`a thread of the writer ended with code ${code}`)));
    return { worker, owed };
  });
  return {
    threads: workers.length,
    run: async (job) => {
      if (broken !== undefined) throw broken;
      const done = running.begin(job, workers.length);
      for (const { worker, owed } of workers) {
        owed.add(job.id);
        worker.postMessage(job);
      }
      await done;
    },
    close: async () => {
      await Promise.all(workers.map(({ worker }) => worker.terminate()));
    },
  };
}

function received({ message, stack, code, errno }: SentError): Error {
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, code === undefined ? {} : { code }, errno === undefined ? {} : { errno });
}
