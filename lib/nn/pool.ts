import { Pool as InitPool } from '../pool/pool.js';
import { type PoolOptions, poolSettings } from '../pool/settings.js';
import { layersOn, type PoolLayers } from './layers/on-pool.js';

/**
 * Worker threads that fill tensors and make layers, while this thread goes on. Made by createPool.
 *
 *     const pool = createPool();
 *     const w = pool.empty([4096, 4096]);
 *     await pool.init.kaiming_normal_(w, { nonlinearity: 'relu', signal });
 *     const state = await pool.layers.TransformerEncoderLayer(4096, 32, { signal });
 */
export class Pool extends InitPool {
  /** `layers.*`, each returning a promise of its tensors, which are in the pool's memory. */
  readonly layers: PoolLayers = layersOn(this);
}

/**
 * Starts worker threads that fill tensors without holding the event loop.
 *
 *     const pool = createPool({ threads: 8 });
 *     await pool.close();      // at the end; `await using` does it by itself, in Node.js 24 and TypeScript
 *
 * One pool for a whole program, for long: each thread takes some tens of milliseconds to start. An idle pool does not keep the
 * process from ending.
 *
 * @param options.threads worker threads, 1 to 128; the number of set_num_threads by default
 * @param options.maxMemory the most bytes that tensors of `pool.empty` may take; no limit by default
 * @param options.niceness how much the threads stand back for others, 0 to 19; 10 by default
 * @throws TypeError and RangeError for options
 */
export function createPool(options?: PoolOptions): Pool {
  return new Pool(poolSettings(options));
}
