import { createHash, randomFillSync } from 'node:crypto';
import { checkInteger, checkOneOf, checkOptions, rangeError, typedArrayName, typeError } from '../core/check.js';
import type { Dtype, TensorData } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import type { OwnUint8Array } from '../core/own-memory.js';
import type { Key } from '../native/addon.js';
import type { Engine as AnyEngine } from './engines/engine.js';
import { PhiloxEngine } from './engines/philox.js';
import { TorchEngine } from './engines/torch.js';
import { checkSeed, type Engine, engineNames } from './names.js';

export type { Engine } from './names.js';

const engines = { philox: PhiloxEngine, torch: TorchEngine } as const;
const defaultSeed = 67280421310721n; // PyTorch's

const mostParts = 1_000_000;

/** The seed of part i, as docs/streams.md has it. */
function seedOfPart(seed: bigint, i: number): bigint {
  return createHash('sha256').update(`nninit.split ${seed} ${i}`).digest().readBigUInt64LE(0);
}

/**
 * A source of randomness: an engine, a 64-bit seed, and a position.
 *
 * In the engine philox each random fill of at least one element takes one stream: the first after seeding gets stream 0, the
 * next 1, and so on. Its values are a function of (seed, stream, index) alone, so neither threads nor sizes of earlier fills matter. In
 * the engine torch a fill takes the next words of one sequence, as in PyTorch, and its values depend on all that was drawn before.
 * While a pool draws a truncated normal or an array of tensors from it there, other synchronous use is an error, but for initial_seed.
 *
 *     const generator = new Generator({ seed: 7 });
 *     init.normal_(w, { std: 0.02, generator });
 *
 *     const like_torch = new Generator({ engine: 'torch', seed: 0 });   // torch.manual_seed(0)
 */
export class Generator {
  readonly engine: Engine;
  readonly #engine: AnyEngine;
  /** Whether something of a pool has its turn. */
  #drawing = false;
  /** Those that wait for theirs, in order. Each returns nothing if it has ended at once. */
  readonly #waiting: (() => Promise<void> | undefined)[] = [];

  /**
   * @param options.seed an integer in [-2^63, 2^64), as a number or, beyond 2^53, a bigint; a negative n means n + 2^64.
   *   PyTorch's default, 67280421310721, when left out: `seed()` takes one from the system's entropy
   * @param options.engine 'philox' (the default) or 'torch'
   */
  constructor(options?: { readonly seed?: number | bigint | undefined; readonly engine?: Engine | undefined }) {
    const { seed, engine = 'philox' } = checkOptions('Generator', options, ['seed', 'engine']);
    const known = `known engines: ${engineNames.join(', ')}`;
    this.engine = checkOneOf('Generator', 'engine', engine, engineNames, known);
    this.#engine = new engines[this.engine](seed === undefined ? defaultSeed : checkSeed('Generator', seed));
  }

  /**
   * Sets the seed, and starts again from it. Returns this generator.
   *
   * @param seed an integer in [-2^63, 2^64); a negative n means n + 2^64
   * @throws TypeError for what is no number or bigint, RangeError beyond the range
   */
  manual_seed(seed: number | bigint): this {
    const checked = checkSeed('Generator.manual_seed', seed);
    this.#checkFree('Generator.manual_seed');
    this.#engine.manual_seed(checked);
    return this;
  }

  /** Sets a seed from the system's entropy, starts again from it, and returns that seed, in [0, 2^64). */
  seed(): bigint {
    this.#checkFree('Generator.seed');
    const fresh = new BigUint64Array(1);
    randomFillSync(fresh);
    this.#engine.manual_seed(fresh[0] ?? 0n);
    return this.#engine.seed;
  }

  /** The seed, in [0, 2^64): -1 was made 2^64 - 1. */
  initial_seed(): bigint {
    return this.#engine.seed;
  }

  /**
   * Generators of the same engine for parts that are independent of one another: workers, layers, trials. `split(n)[i]` depends on this
   * generator's seed and on i alone, not on what was drawn, nor on n; the same call gives the same ones, as splitting a key of JAX does.
   *
   *     const [data, model] = new Generator({ seed: 42 }).split(2);
   *
   * Their seeds, of 64 bits, are in docs/streams.md. Of the engine torch only the low 32 bits count, so thousands of parts may meet.
   *
   * @param count how many, 1 to 1,000,000
   * @throws TypeError and RangeError for another count
   */
  split(count: number): Generator[] {
    checkInteger('Generator.split', 'count', count, 1, mostParts);
    return Array.from(
      { length: count },
      (_, i) => new Generator({ seed: seedOfPart(this.#engine.seed, i), engine: this.engine }),
    );
  }

  /**
   * The whole state: in the engine philox 32 bytes ('nninit', format 1, engine 0, the seed and the next stream as 64-bit
   * little-endian numbers, and 8 zero bytes); in the engine torch the 5,056 bytes that `torch.get_rng_state()` gives.
   */
  get_state(): OwnUint8Array {
    this.#checkFree('Generator.get_state');
    return this.#engine.get_state();
  }

  /**
   * Takes over the state that get_state gave, of this generator or another one of its engine; in the engine torch also
   * what `torch.get_rng_state()` gave in Python. Returns this generator.
   *
   * @throws TypeError for anything but a Uint8Array, RangeError for bytes that are no such state: nothing changes then
   */
  set_state(state: Uint8Array): this {
    const checked = this.#checkState('Generator.set_state', state);
    this.#checkFree('Generator.set_state');
    this.#engine.set_state(checked);
    return this;
  }

  /**
   * The key of the next random fill, and a step past it: what executors of fills call, once for each random fill of at
   * least one element, when nothing can be refused any more.
   *
   * In the engine torch a truncated normal is drawn once to learn how far the step goes.
   *
   * @param fill what resolve gave
   * @param dtype of the tensor
   * @param total elements of the whole fill
   * @throws RangeError after 2^63 fills of the engine philox
   */
  nextKey(fill: Fill, dtype: Dtype, total: number): Key {
    this.#checkFree('Generator');
    return this.#engine.nextKey(fill, dtype, total);
  }

  /**
   * Writes a whole random fill on this thread and its native ones, and steps past it.
   *
   * @internal
   */
  fill(data: TensorData, dtype: Dtype, fill: Fill, threads: number): void {
    this.#checkFree('Generator');
    this.#engine.fill(data, dtype, fill, threads);
  }

  /**
   * Whether a pool draws from it at the moment, in a way that only its end tells where the next fill begins.
   *
   * @internal
   */
  get busy(): boolean {
    return this.#drawing;
  }

  /**
   * Whether the place after a fill is known only when it is drawn.
   *
   * @internal
   */
  isOpenEnded(fill: Fill): boolean {
    return this.#engine instanceof TorchEngine && fill.kind === 'trunc_normal';
  }

  /**
   * Waits for what drew before, then calls `begin` and runs `use`; until its promise settles whoever else wants to draw waits or is
   * refused. For the engine torch, where only the end of some fills tells where the next one begins.
   *
   * @param begin what it throws ends the turn at once, without `use`. So a generator is free when the promise of the last one
   *   that drew settles, whoever was stopped behind it
   *
   * @internal
   */
  inTurn<T>(begin: (engine: TorchEngine) => void, use: (engine: TorchEngine) => Promise<T>): Promise<T> {
    const engine = this.#engine;
    if (!(engine instanceof TorchEngine)) throw new Error('fills of the engine philox need no turns');
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.#nextTurn();
        settle();
      };
      this.#waiting.push(() => {
        try {
          begin(engine);
        } catch (error) {
          reject(error);
          return undefined;
        }
        return use(engine).then(
          (value) => end(() => resolve(value)),
          (error: unknown) => end(() => reject(error)),
        );
      });
      if (!this.#drawing) this.#nextTurn();
    });
  }

  #nextTurn(): void {
    this.#drawing = true;
    for (let turn = this.#waiting.shift(); turn !== undefined; turn = this.#waiting.shift()) {
      if (turn() !== undefined) return;
    }
    this.#drawing = false;
  }

  #checkFree(fn: string): void {
    if (!this.#drawing) return;
    throw new Error(
      `${fn}: a pool is drawing from this generator, a list or a truncated normal, and only its end tells where the ` +
        'next fill begins: await its promise first',
    );
  }

  #checkState(fn: string, state: unknown): Uint8Array {
    const size = this.engine === 'torch' ? '5,056' : '32';
    if (typedArrayName(state) !== 'Uint8Array') {
      throw typeError(fn, 'state', `a Uint8Array of ${size} bytes from get_state`, state);
    }
    const bytes = Uint8Array.from(state as Uint8Array); // a copy: shared memory may change meanwhile
    const why = this.#engine.checkState(bytes);
    if (why === undefined) return bytes;
    throw rangeError(fn, 'state', `the ${size} bytes that get_state gave`, state, why);
  }

  /**
   * For set_rng_state, in whose name errors are made.
   *
   * @internal
   */
  static setStateOf(generator: Generator, fn: string, state: Uint8Array): void {
    generator.set_state(generator.#checkState(fn, state));
  }
}

/**
 * The generator of all fills that name no other: `torch.default_generator`. As there, its seed comes from the system's entropy, anew in each
 * process and each worker thread; `initial_seed()` tells it, and `manual_seed` sets one for numbers that can be had again.
 */
export const default_generator = new Generator();
default_generator.seed();

/**
 * Seeds the default generator, as torch.manual_seed does, and returns it.
 *
 *     manual_seed(42);
 *
 * @param seed an integer in [-2^63, 2^64); a negative n means n + 2^64
 * @throws TypeError for what is no number or bigint, RangeError beyond the range
 */
export function manual_seed(seed: number | bigint): Generator {
  return default_generator.manual_seed(checkSeed('manual_seed', seed));
}

/** Seeds the default generator from the system's entropy, and returns that seed. */
export function seed(): bigint {
  return default_generator.seed();
}

/** The default generator's seed, in [0, 2^64): the one from the system's entropy unless one was set. */
export function initial_seed(): bigint {
  return default_generator.initial_seed();
}

/** The default generator's state: 32 bytes, see Generator.get_state. */
export function get_rng_state(): OwnUint8Array {
  return default_generator.get_state();
}

/**
 * Sets the default generator's state, as torch.set_rng_state does.
 *
 * @param state the 32 bytes that get_rng_state gave
 * @throws TypeError for anything but a Uint8Array, RangeError for bytes that are no such state
 */
export function set_rng_state(state: Uint8Array): void {
  Generator.setStateOf(default_generator, 'set_rng_state', state);
}
