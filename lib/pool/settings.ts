import { checkInteger, checkOptions } from '../core/check.js';
import { get_num_threads } from '../native/addon.js';

const mostThreads = 128;
/** Below the event loop's priority: with a worker for each core, that thread would otherwise wait for milliseconds to be run. */
export const usualNiceness = 10;
const mostNiceness = 19;

/** What createPool takes. */
export interface PoolOptions {
  /** Worker threads, 1 to 128; the number of set_num_threads by default, which is that of the cores at first. */
  readonly threads?: number | undefined;
  /** The most bytes that the tensors of `pool.empty` may take, released ones aside; those below 64 KiB do not count. No limit by default. */
  readonly maxMemory?: number | undefined;
  /**
   * How much the threads stand back where other threads want their cores, 0 to 19: 10 by default, so that the event loop comes first; 0 for as much
   * time as others get. On Linux; on Windows any but 0 is one step below normal, and elsewhere it does nothing.
   */
  readonly niceness?: number | undefined;
}

/** PoolOptions, checked. */
export interface PoolSettings {
  readonly threads: number;
  readonly maxMemory: number;
  readonly niceness: number;
}

/** Checks what createPool takes. */
export function poolSettings(options: PoolOptions | undefined): PoolSettings {
  const fn = 'createPool';
  const { threads, maxMemory, niceness } = checkOptions(fn, options, ['threads', 'maxMemory', 'niceness']);
  return {
    threads:
      threads === undefined
        ? Math.min(get_num_threads(), mostThreads)
        : checkInteger(fn, 'threads', threads, 1, mostThreads),
    maxMemory: maxMemory === undefined ? Number.POSITIVE_INFINITY : checkInteger(fn, 'maxMemory', maxMemory, 1),
    niceness: niceness === undefined ? usualNiceness : checkInteger(fn, 'niceness', niceness, 0, mostNiceness),
  };
}
