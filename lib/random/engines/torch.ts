import { type Dtype, dtypes, type TensorData, view_of } from '../../core/dtype.js';
import { type Fill, is_random } from '../../core/fill.js';
import {
  check_torch_state,
  run_fill,
  run_torch_fill,
  run_torch_range,
  seed_torch,
  skip_torch_fill,
  type TorchKey,
} from '../../native/addon.js';
import type { Engine } from './engine.js';

const state_bytes = 5056;
/** Elements that are drawn at a time only to learn how often a fill draws. */
const counted_at_once = 2 ** 22;
const unit_uniform: Fill = { kind: 'uniform', a: 0, b: 1 };

/** PyTorch's CPU generator, MT19937: one sequence of words, of which each fill takes the next ones (docs/torch-engine.md). */
export class TorchEngine implements Engine {
  readonly name = 'torch';
  #seed: bigint;
  /** In torch.get_rng_state()'s bytes; made when it is first needed. */
  #state: Uint8Array<ArrayBuffer> | undefined;

  constructor(seed: bigint) {
    this.#seed = seed;
  }

  get seed(): bigint {
    return this.#seed;
  }

  manual_seed(seed: bigint): void {
    this.#seed = seed;
    this.#state = undefined;
  }

  get_state(): Uint8Array<ArrayBuffer> {
    return this.#current().slice();
  }

  check_state(state: Uint8Array): string | undefined {
    if (state.length !== state_bytes) return `${state.length} bytes`;
    return check_torch_state(state) || undefined;
  }

  set_state(state: Uint8Array): void {
    this.#state = Uint8Array.from(state);
    this.#seed = new DataView(this.#state.buffer).getBigUint64(0, true);
  }

  next_key(fill: Fill, dtype: Dtype, total: number): TorchKey {
    const key = { state: this.get_state(), total };
    this.skip(fill, dtype, total, fill.kind === 'trunc_normal' ? count_rounds(fill, dtype, key) : 1);
    return key;
  }

  /**
   * Moves past a fill that takes `rounds` draws. What a random initializer made a constant is a truncated normal whose bounds are
   * equal: PyTorch draws candidates, all the same, and uniforms to accept them.
   */
  skip(fill: Fill, dtype: Dtype, total: number, rounds: number): void {
    if (!is_random(fill)) {
      for (let draw = 0; draw < 2; draw++) skip_torch_fill(this.#current(), dtype, unit_uniform, total, 1);
      return;
    }
    skip_torch_fill(this.#current(), dtype, fill, total, rounds);
  }

  fill(data: TensorData, dtype: Dtype, fill: Fill, threads: number): void {
    if (!is_random(fill)) {
      run_fill(data, dtype, fill, undefined, 0, threads);
      this.skip(fill, dtype, data.length, 1);
      return;
    }
    if (run_torch_fill(data, dtype, fill, this.#current(), threads) === 0) throw too_many_rounds();
  }

  #current(): Uint8Array<ArrayBuffer> {
    if (this.#state === undefined) {
      this.#state = new Uint8Array(state_bytes);
      seed_torch(this.#state, this.#seed);
    }
    return this.#state;
  }
}

/** Draws a truncated normal and throws it away, for where the next fill begins depends on its values. */
function count_rounds(fill: Fill, dtype: Dtype, key: TorchKey): number {
  const size = Math.min(key.total, counted_at_once);
  const memory = new ArrayBuffer(size * dtypes[dtype].bytes);
  let most = 0;
  for (let begin = 0; begin < key.total; begin += size) {
    const data = view_of(dtype, memory, 0, Math.min(size, key.total - begin));
    const rounds = run_torch_range(data, dtype, fill, key, begin);
    if (rounds === 0) throw too_many_rounds();
    most = Math.max(most, rounds);
  }
  return most;
}

/** For a truncated normal whose draws would go on and on. */
export function too_many_rounds(): Error {
  return new RangeError(
    'trunc_normal_: expected bounds that candidates meet within 100,000 draws of the engine torch, as PyTorch would draw ' +
      'on and on; the engine philox has no such limit',
  );
}
