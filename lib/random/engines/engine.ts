import type { Dtype, TensorData } from '../../core/dtype.js';
import type { Fill } from '../../core/fill.js';
import type { Key } from '../../native/addon.js';

/** The random part of a generator: where its bits come from, and where it stands. */
export interface Engine {
  readonly name: 'philox' | 'torch';
  /** In [0, 2^64). */
  readonly seed: bigint;
  /** Starts again from a seed in [0, 2^64). */
  manual_seed(seed: bigint): void;
  get_state(): Uint8Array<ArrayBuffer>;
  /** Takes over a state that checkState has let pass. */
  set_state(state: Uint8Array): void;
  /** Why these bytes are no state of this engine, or undefined. */
  checkState(state: Uint8Array): string | undefined;
  /** The key of a random fill of `total` elements; moves past it. */
  nextKey(fill: Fill, dtype: Dtype, total: number): Key;
  /** Writes a whole random fill of data.length > 0 elements, and moves past it. */
  fill(data: TensorData, dtype: Dtype, fill: Fill, threads: number): void;
}
