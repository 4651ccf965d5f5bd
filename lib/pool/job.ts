import { rangeError } from '../core/check.js';
import { dtypes, viewOf } from '../core/dtype.js';
import { type Fill, isWhole } from '../core/fill.js';
import { isTorchKey, type Key, type PhiloxKey, prepareMemory } from '../native/addon.js';
import type { CheckedTensor } from '../tensor/tensor.js';
import { controlBytes, controlWords, type TurnMessage } from './messages.js';
import { costOf, isSequential, type Split, split, splitSequence } from './split.js';

/** One tensor to be filled, all of it checked and its stream taken. */
export interface Order {
  /** In whose name errors are made. */
  readonly fn: string;
  readonly tensor: CheckedTensor;
  readonly fill: Fill;
  readonly key: Key;
  /** Index of the tensor's first element within the fill. */
  readonly begin: number;
  /** How many of the pool's threads it may use at most; 0 for all, which the scheduler puts in its place. */
  readonly threads: number;
}

/** An order on its way. It settles once: filled, or with an error, and then nothing writes to its memory any more. */
export abstract class Job {
  readonly order: Order;
  readonly bytesEach: number;
  settled = false;
  readonly #onSettled: (error: unknown) => void;

  constructor(order: Order, onSettled: (error: unknown) => void) {
    this.order = order;
    this.bytesEach = dtypes[order.tensor.dtype].bytes;
    this.#onSettled = onSettled;
  }

  get size(): number {
    return this.order.tensor.size;
  }

  /** In the engine torch, once it is filled: how often values were drawn. */
  get rounds(): number {
    return 1;
  }

  /** How many elements are filled by now. */
  abstract progress(): number;

  /** Asks it to stop, and to settle with the reason as soon as nothing writes any more. */
  abstract cancel(reason: unknown): void;

  settle(error?: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.#onSettled(error);
  }

  /** False if the memory went away since it was checked: then the job has settled with an error that says so. */
  hasMemory(): boolean {
    const { fn, tensor } = this.order;
    if (tensor.data.length === tensor.size) return true;
    const why = 'it was detached or shrank during the fill';
    this.settle(rangeError(fn, 'data', 'memory that is still there', tensor.data, why));
    return false;
  }
}

/** A job that workers fill in the pool's own memory, piece by piece; this thread copies each piece to where it belongs. */
export class StagedJob extends Job {
  /** Elements that were handed out. */
  next = 0;
  /** Elements that were copied. */
  copied = 0;
  /** Estimated nanoseconds an element. */
  readonly cost: number;
  readonly key: PhiloxKey;
  readonly whole: boolean;

  constructor(order: Order, onSettled: (error: unknown) => void) {
    super(order, onSettled);
    const { fill, tensor, key } = order;
    if (isTorchKey(key)) throw new Error('a fill of the engine torch is not staged');
    this.key = key;
    this.whole = isWhole(fill);
    this.cost = costOf(fill, tensor.dtype, tensor.size) / tensor.size;
  }

  progress(): number {
    return this.copied;
  }

  cancel(reason: unknown): void {
    this.settle(reason); // workers write to the pool's memory only
  }
}

/** Where a job's bytes are while workers fill them. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
}

/** A job that workers fill in place, in shared memory: each claims ranges until none is left. */
export class SharedJob extends Job {
  readonly memory: SharedMemory;
  readonly whole: boolean;
  /** Whether `memory` is the tensor's own; if not, it is copied at the end. */
  readonly inPlace: boolean;
  /** Workers in a turn, or about to be. */
  turns = 0;
  deaths = 0;
  readonly #split: Split;
  readonly #control: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #done: Uint8Array;
  #failure: { readonly error: unknown } | undefined;
  /** Set when the job is stopped from outside: it settles without the acknowledgement of workers that have not begun. */
  #cancelled = false;

  constructor(order: Order, memory: SharedMemory, inPlace: boolean, onSettled: (error: unknown) => void) {
    super(order, onSettled);
    const { fill, tensor } = order;
    this.memory = memory;
    this.inPlace = inPlace;
    this.whole = isWhole(fill);
    prepareMemory(viewOf(tensor.dtype, memory.buffer, memory.byteOffset, tensor.size));
    this.#split = isSequential(fill, order.key)
      ? splitSequence(fill, tensor.size, order.threads)
      : split(fill, tensor.dtype, memory.byteOffset, tensor.size);
    this.#control = new SharedArrayBuffer(controlBytes + this.#split.count);
    this.#words = new Int32Array(this.#control, 0, controlBytes / 4);
    this.#done = new Uint8Array(this.#control, controlBytes);
  }

  /** Whether one more worker would find something to do. */
  get wantsTurn(): boolean {
    const { count } = this.#split;
    if (this.settled || this.#failure !== undefined || this.#word('claim') >= count) return false;
    return this.turns < Math.min(count, this.whole ? 1 : this.order.threads);
  }

  override get rounds(): number {
    return this.#word('rounds');
  }

  /** All ranges are filled. Workers whose turn has not begun, which may take long on a busy machine, will find none to claim. */
  get complete(): boolean {
    return this.#failure === undefined && this.#word('done') >= this.#split.count;
  }

  progress(): number {
    const { count, step } = this.#split;
    const done = this.#word('done');
    return done >= count ? this.size : Math.min(this.size, done * step);
  }

  /** @param threads native threads, for a whole matrix only */
  message(threads: number, waiting: Int32Array): TurnMessage {
    const { fill, key, begin, tensor } = this.order;
    return {
      kind: 'turn',
      buffer: this.memory.buffer,
      byteOffset: this.memory.byteOffset,
      length: tensor.size,
      dtype: tensor.dtype,
      fill,
      key,
      begin,
      first: this.#split.first,
      step: this.#split.step,
      threads,
      crew: this.order.threads,
      control: this.#control,
      waiting,
    };
  }

  cancel(reason: unknown): void {
    this.fail(reason);
    this.#cancelled = true;
    this.turnEnded();
  }

  /** Stops the workers; settles in turnEnded. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    Atomics.store(this.#words, controlWords.cancel, 1);
  }

  /** To be called after each turn: settles a job that has failed, and makes up for workers that have died. */
  turnEnded(): void {
    if (this.#failure !== undefined) {
      if (this.turns === 0 || (this.#cancelled && this.#word('active') === 0)) this.settle(this.#failure.error);
      return;
    }
    if (this.turns > 0 || this.deaths === 0) return;
    // What a dead worker had claimed is claimed again: a range has the same bytes however often it is filled.
    const done = this.#done.reduce((sum, each) => sum + each, 0);
    Atomics.store(this.#words, controlWords.done, done);
    Atomics.store(this.#words, controlWords.active, 0);
    Atomics.store(this.#words, controlWords.claim, done === this.#split.count ? done : 0);
  }

  #word(name: keyof typeof controlWords): number {
    return Atomics.load(this.#words, controlWords[name]);
  }
}
