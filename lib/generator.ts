import { randomFillSync } from 'node:crypto';
import { check_one_of, check_options, range_error, type_error, typed_array_name } from './check.js';
import type { Key } from './native.js';

/** The engines of random bits: 'philox' is Philox4x32-10, the stream of `docs/streams.md`. */
export type Engine = 'philox';

const engines: readonly Engine[] = ['philox'];
const default_seed = 67280421310721n; // PyTorch's
const limit = 2n ** 64n;
const last_stream = 2n ** 63n; // the upper half belongs to named tensors

const state_bytes = 32;
const magic = [0x6e, 0x6e, 0x69, 0x6e, 0x69, 0x74]; // 'nninit'
const state_format = 1;

/**
 * A source of randomness: an engine, a 64-bit seed, and the number of the stream that the next fill takes.
 *
 * Each random fill of at least one element takes one stream: the first after seeding gets stream 0, the next 1, and so on. Its
 * values are a function of (seed, stream, index) alone, so neither threads nor sizes of earlier fills matter.
 *
 *     const generator = new Generator({ seed: 7 });
 *     init.normal_(w, { std: 0.02, generator });
 */
export class Generator {
  readonly engine: Engine;
  #seed: bigint = default_seed;
  #stream = 0n;

  /**
   * @param options.seed an integer in [-2^63, 2^64), as a number or, beyond 2^53, a bigint; a negative n means n + 2^64.
   *   PyTorch's default, 67280421310721, when left out
   * @param options.engine 'philox'
   */
  constructor(options?: { readonly seed?: number | bigint | undefined; readonly engine?: Engine | undefined }) {
    const { seed, engine = 'philox' } = check_options('Generator', options, ['seed', 'engine']);
    this.engine = check_one_of('Generator', 'engine', engine, engines, `known engines: ${engines.join(', ')}`);
    if (seed !== undefined) this.#seed = check_seed('Generator', seed);
  }

  /** Sets the seed, in the constructor's range, and starts again at stream 0. Returns this generator. */
  manual_seed(seed: number | bigint): this {
    return this.#restart(check_seed('Generator.manual_seed', seed));
  }

  /** Sets a seed from the system's entropy, starts again at stream 0, and returns that seed, in [0, 2^64). */
  seed(): bigint {
    const fresh = new BigUint64Array(1);
    randomFillSync(fresh);
    this.#restart(fresh[0] ?? 0n);
    return this.#seed;
  }

  /** The seed, in [0, 2^64): -1 was made 2^64 - 1. */
  initial_seed(): bigint {
    return this.#seed;
  }

  /**
   * The whole state in 32 bytes: 'nninit', format (1), engine (0 for philox), the seed and the next stream as 64-bit
   * little-endian numbers, and 8 zero bytes.
   */
  get_state(): Uint8Array<ArrayBuffer> {
    const state = new Uint8Array(state_bytes);
    state.set([...magic, state_format, 0]);
    const view = new DataView(state.buffer);
    view.setBigUint64(8, this.#seed, true);
    view.setBigUint64(16, this.#stream, true);
    return state;
  }

  /**
   * Takes over the state that get_state gave, of this generator or another one. Returns this generator.
   *
   * @throws TypeError for anything but a Uint8Array, RangeError for bytes that are no such state: nothing changes then
   */
  set_state(state: Uint8Array): this {
    const { seed, stream } = parse_state('Generator.set_state', state);
    this.#seed = seed;
    this.#stream = stream;
    return this;
  }

  /**
   * Takes the next stream: what executors of fills call, once for each random fill, when nothing can be refused any more.
   *
   * @throws RangeError after 2^63 fills
   */
  next_key(): Key {
    const stream = this.#stream;
    if (stream >= last_stream) {
      throw range_error('Generator', 'the next stream', 'a number below 2^63', stream, 'seed again');
    }
    this.#stream = stream + 1n;
    return { seed: this.#seed, stream };
  }

  #restart(seed: bigint): this {
    this.#seed = seed;
    this.#stream = 0n;
    return this;
  }
}

function check_seed(fn: string, seed: unknown): bigint {
  const what = 'an integer in [-2^63, 2^64)';
  if (typeof seed === 'number') {
    if (Number.isSafeInteger(seed)) return BigInt.asUintN(64, BigInt(seed));
    const inexact = Number.isInteger(seed) ? 'a number this large is not exact: write it as a bigint' : undefined;
    throw range_error(fn, 'seed', what, seed, inexact);
  }
  if (typeof seed !== 'bigint') throw type_error(fn, 'seed', what, seed);
  if (seed < -(2n ** 63n) || seed >= limit) throw range_error(fn, 'seed', what, seed);
  return BigInt.asUintN(64, seed);
}

function parse_state(fn: string, state: unknown): Key {
  if (typed_array_name(state) !== 'Uint8Array') {
    throw type_error(fn, 'state', 'a Uint8Array of 32 bytes from get_state', state);
  }
  const bytes = Uint8Array.from(state as Uint8Array); // a copy: shared memory may change meanwhile
  const refuse = (why: string) => range_error(fn, 'state', 'the 32 bytes that get_state gave', state, why);
  if (bytes.length !== state_bytes) throw refuse(`${bytes.length} bytes`);
  if (magic.some((byte, i) => bytes[i] !== byte)) throw refuse("it does not begin with 'nninit'");
  if (bytes[6] !== state_format) throw refuse(`format ${bytes[6]} is unknown`);
  if (bytes[7] !== 0) throw refuse(`engine ${bytes[7]} is unknown`);
  if (bytes.subarray(24).some((byte) => byte !== 0)) throw refuse('its reserved bytes are not zero');
  const view = new DataView(bytes.buffer);
  const stream = view.getBigUint64(16, true);
  if (stream > last_stream) throw refuse(`stream ${stream} is beyond 2^63`);
  return { seed: view.getBigUint64(8, true), stream };
}

/** The generator of all fills that name no other: `torch.default_generator`. */
export const default_generator = new Generator();

/** Seeds the default generator, as torch.manual_seed does, and returns it. */
export function manual_seed(seed: number | bigint): Generator {
  return default_generator.manual_seed(check_seed('manual_seed', seed));
}

/** Seeds the default generator from the system's entropy, and returns that seed. */
export function seed(): bigint {
  return default_generator.seed();
}

/** The default generator's seed. */
export function initial_seed(): bigint {
  return default_generator.initial_seed();
}

/** The default generator's state. */
export function get_rng_state(): Uint8Array<ArrayBuffer> {
  return default_generator.get_state();
}

/** Sets the default generator's state, as torch.set_rng_state does. */
export function set_rng_state(state: Uint8Array): void {
  parse_state('set_rng_state', state);
  default_generator.set_state(state);
}
