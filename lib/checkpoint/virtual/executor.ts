import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../../pool/operation.js';
import type { Pool } from '../../pool/pool.js';
import { doRange, type TaskData } from './task.js';

/** What makes the bytes of a checkpoint: a pool's workers, or this thread. */
export interface Executor {
  /** How many of them work at the same time. */
  readonly workers: number;
  /**
   * Does all `count` ranges of a task, which together take `bytes`. Rejects with the signal's reason once nothing writes any more.
   *
   * @param onProgress called now and then with the bytes that are done
   */
  run(data: TaskData, count: number, bytes: number, options?: RunTaskOptions): Promise<void>;
}

export interface RunTaskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

const module = 'lib/checkpoint/virtual/task';

/** The workers of a pool, which it shares among all that use it. */
export function onPool(pool: Pool, fn: string): Executor {
  const party = {};
  return {
    workers: pool.threads,
    run(data, count, bytes, { signal, onProgress } = {}) {
      const task = { fn, module, data, count, bytes, whole: data.of === 'whole', party };
      const tell = onProgress && (({ bytes: done }: { readonly bytes: number }) => onProgress(done));
      return pool.runTask(task, { signal, onProgress: tell });
    },
  };
}

/**
 * This thread and its native helpers: for little work, since a pool takes some tens of milliseconds to start.
 *
 * @param threads 0 for the number that set_num_threads set
 */
export function onThisThread(threads: number): Executor {
  return {
    workers: 1,
    async run(data, count, bytes, { signal, onProgress } = {}) {
      for (let index = 0; index < count; index++) {
        await setImmediate(); // signals, timers and whoever takes the last bytes have their turn
        throwIfAborted(signal);
        doRange(data, index, threads);
        onProgress?.(Math.min(bytes, Math.ceil((bytes * (index + 1)) / count)));
      }
    },
  };
}
