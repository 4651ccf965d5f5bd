import { copyOfPlain } from '../core/check.js';

export interface WorkerOptions {
  /** Where the orders are: `redis://host:6379/0`, or `rediss://…` for TLS, with name and password where there are such. */
  readonly redis: string;
  /** Orders are done that write into this folder or below it, and no others; the working directory by default. */
  readonly root?: string | undefined;
  /** Threads that fill and write, 1 to 1024; set_num_threads' number by default, of which at most 8 are used. */
  readonly threads?: number | undefined;
  /** A worker that shows no sign for so many milliseconds is taken for dead, and others do its part; 30,000 by default, at least 1,000. */
  readonly lostAfterMs?: number | undefined;
  /** Told in a line what is done, refused, or goes wrong. What it throws is a warning of the process, and no failure of what is done. */
  readonly onMessage?: ((text: string) => void) | undefined;
}

/** A worker that is at it. */
export interface ClusterWorker {
  /** The address of Redis, without name and password. */
  readonly redis: string;
  /** Stops: what is under way is given back at once, and goes on elsewhere from what is on the disk. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Does parts of checkpoints that others order, one at a time, until it is closed. It needs the npm packages bullmq and ioredis.
 *
 *     await using worker = await startWorker({ redis: 'redis://localhost', root: '/shared' });
 *
 * @param options.redis where the orders are
 * @param options.root what may be written to
 * @param options.threads that fill and write
 * @param options.lostAfterMs how long a worker may show no sign of life
 * @param options.onMessage told what happens
 * @throws InputError where Redis cannot be reached or the packages are not installed; TypeError and RangeError for options
 */
export async function startWorker(options: WorkerOptions): Promise<ClusterWorker> {
  const given = copyOfPlain(options); // which the caller may change for the next worker
  const [{ startPerforming }, { onFolder }] = await Promise.all([import('./queue-worker.js'), import('./perform.js')]);
  return startPerforming(given, onFolder);
}
