import { type Dtype, dtypes, type TensorData, viewOf } from '../../core/dtype.js';
import { type Fill, isRandom } from '../../core/fill.js';
import {
  checkTorchState,
  fillRange,
  runTorchFill,
  runTorchRange,
  seedTorch,
  skipTorchFill,
  type TorchKey,
  tooManyRounds,
} from '../../native/addon.js';
import type { Engine } from './engine.js';

const stateBytes = 5056;
/** Elements that are drawn at a time only to learn how often a fill draws. */
const countedAtOnce = 2 ** 22;
const unitUniform: Fill = { kind: 'uniform', a: 0, b: 1 };

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

  checkState(state: Uint8Array): string | undefined {
    if (state.length !== stateBytes) return `${state.length} bytes`;
    return checkTorchState(state) || undefined;
  }

  set_state(state: Uint8Array): void {
    this.#state = Uint8Array.from(state);
    this.#seed = new DataView(this.#state.buffer).getBigUint64(0, true);
  }

  nextKey(fill: Fill, dtype: Dtype, total: number): TorchKey {
    const key = { state: this.get_state(), total };
    this.skip(fill, dtype, total, fill.kind === 'trunc_normal' ? countRounds(fill, dtype, key) : 1);
    return key;
  }

  /**
   * Moves past a fill that takes `rounds` draws. What a random initializer made a constant is a truncated normal whose bounds are
   * equal: PyTorch draws candidates, all the same, and uniforms to accept them.
   */
  skip(fill: Fill, dtype: Dtype, total: number, rounds: number): void {
    if (!isRandom(fill)) {
      for (let draw = 0; draw < 2; draw++) skipTorchFill(this.#current(), dtype, unitUniform, total, 1);
      return;
    }
    skipTorchFill(this.#current(), dtype, fill, total, rounds);
  }

  fill(data: TensorData, dtype: Dtype, fill: Fill, threads: number): void {
    if (!isRandom(fill)) {
      fillRange(data, dtype, fill, undefined, 0, threads);
      this.skip(fill, dtype, data.length, 1);
      return;
    }
    if (runTorchFill(data, dtype, fill, this.#current(), threads) === 0) throw tooManyRounds();
  }

  #current(): Uint8Array<ArrayBuffer> {
    if (this.#state === undefined) {
      this.#state = new Uint8Array(stateBytes);
      seedTorch(this.#state, this.#seed);
    }
    return this.#state;
  }
}

/** Draws a truncated normal and throws it away, for where the next fill begins depends on its values. */
function countRounds(fill: Fill, dtype: Dtype, key: TorchKey): number {
  const size = Math.min(key.total, countedAtOnce);
  const memory = new ArrayBuffer(size * dtypes[dtype].bytes);
  let most = 0;
  for (let begin = 0; begin < key.total; begin += size) {
    const data = viewOf(dtype, memory, 0, Math.min(size, key.total - begin));
    const rounds = runTorchRange(data, dtype, fill, key, begin);
    if (rounds === 0) throw tooManyRounds();
    most = Math.max(most, rounds);
  }
  return most;
}
