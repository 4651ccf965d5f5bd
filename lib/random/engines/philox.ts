import { rangeError } from '../../core/check.js';
import type { Dtype, TensorData } from '../../core/dtype.js';
import type { Fill } from '../../core/fill.js';
import { fillRange, type PhiloxKey } from '../../native/addon.js';
import type { Engine } from './engine.js';

const lastStream = 2n ** 63n; // the upper half belongs to named tensors
const stateBytes = 32;
const magic = [0x6e, 0x6e, 0x69, 0x6e, 0x69, 0x74]; // 'nninit'
const stateFormat = 1;

/** Philox4x32-10, the stream of docs/streams.md: each fill takes the next stream number. */
export class PhiloxEngine implements Engine {
  readonly name = 'philox';
  #seed: bigint;
  #stream = 0n;

  constructor(seed: bigint) {
    this.#seed = seed;
  }

  get seed(): bigint {
    return this.#seed;
  }

  manual_seed(seed: bigint): void {
    this.#seed = seed;
    this.#stream = 0n;
  }

  /** 'nninit', format (1), engine (0), the seed and the next stream as 64-bit little-endian numbers, and 8 zero bytes. */
  get_state(): Uint8Array<ArrayBuffer> {
    const state = new Uint8Array(stateBytes);
    state.set([...magic, stateFormat, 0]);
    const view = new DataView(state.buffer);
    view.setBigUint64(8, this.#seed, true);
    view.setBigUint64(16, this.#stream, true);
    return state;
  }

  checkState(state: Uint8Array): string | undefined {
    if (state.length !== stateBytes) return `${state.length} bytes`;
    if (magic.some((byte, i) => state[i] !== byte)) return "it does not begin with 'nninit'";
    if (state[6] !== stateFormat) return `format ${state[6]} is unknown`;
    if (state[7] !== 0) return `engine ${state[7]} is unknown`;
    if (state.subarray(24).some((byte) => byte !== 0)) return 'its reserved bytes are not zero';
    const { stream } = wordsOf(state);
    return stream > lastStream ? `stream ${stream} is beyond 2^63` : undefined;
  }

  set_state(state: Uint8Array): void {
    const { seed, stream } = wordsOf(state);
    this.#seed = seed;
    this.#stream = stream;
  }

  nextKey(): PhiloxKey {
    const stream = this.#stream;
    if (stream >= lastStream) {
      throw rangeError('Generator', 'the next stream', 'a number below 2^63', stream, 'seed again');
    }
    this.#stream = stream + 1n;
    return { seed: this.#seed, stream };
  }

  fill(data: TensorData, dtype: Dtype, fill: Fill, threads: number): void {
    fillRange(data, dtype, fill, this.nextKey(), 0, threads);
  }
}

function wordsOf(state: Uint8Array): PhiloxKey {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  return { seed: view.getBigUint64(8, true), stream: view.getBigUint64(16, true) };
}
