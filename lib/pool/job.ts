import { rangeError } from '../core/check.js';
import { dtypes, viewOf } from '../core/dtype.js';
import { type Fill, isWhole } from '../core/fill.js';
import { compiledFile } from '../core/package-files.js';
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

/** Work on its way. It settles once: done, or with an error, and then nothing writes to its memory any more. */
export abstract class Job {
  /** In whose name errors are made. */
  readonly fn: string;
  /** Elements, or bytes where there are no elements. */
  readonly size: number;
  readonly bytesEach: number;
  settled = false;
  readonly #onSettled: (error: unknown) => void;

  constructor(fn: string, size: number, bytesEach: number, onSettled: (error: unknown) => void) {
    this.fn = fn;
    this.size = size;
    this.bytesEach = bytesEach;
    this.#onSettled = onSettled;
  }

  /** In the engine torch, once it is filled: how often values were drawn. */
  get rounds(): number {
    return 1;
  }

  /** How much of its size is done by now. */
  abstract progress(): number;

  /** Asks it to stop, and to settle with the reason as soon as nothing writes any more. */
  abstract cancel(reason: unknown): void;

  settle(error?: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.#onSettled(error);
  }
}

/** False if a tensor's memory went away since it was checked: then its job has settled with an error that says so. */
export function hasMemory(job: Job & { readonly order: Order }): boolean {
  const { fn, tensor } = job.order;
  if (tensor.data.length === tensor.size) return true;
  const why = 'it was detached or shrank during the fill';
  job.settle(rangeError(fn, 'data', 'memory that is still there', tensor.data, why));
  return false;
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
  readonly order: Order;

  constructor(order: Order, onSettled: (error: unknown) => void) {
    const { fn, fill, tensor, key } = order;
    super(fn, tensor.size, dtypes[tensor.dtype].bytes, onSettled);
    this.order = order;
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

/** A job that is cut into ranges: each worker claims one after another until none is left. */
export abstract class ClaimedJob extends Job {
  /** How many ranges there are. */
  readonly count: number;
  /** How many of the pool's threads may be at it. */
  readonly threads: number;
  /** Whether it is one piece of work, which a single worker does with the native threads of all that are idle. */
  readonly whole: boolean;
  /** Workers in a turn, or about to be. */
  turns = 0;
  deaths = 0;
  readonly #control: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #done: Uint8Array;
  #failure: { readonly error: unknown } | undefined;
  /** Set when the job is stopped from outside: it settles without the acknowledgement of workers that have not begun. */
  #cancelled = false;

  constructor(
    work: { fn: string; size: number; bytesEach: number; count: number; threads: number; whole: boolean },
    onSettled: (error: unknown) => void,
  ) {
    super(work.fn, work.size, work.bytesEach, onSettled);
    this.count = work.count;
    this.threads = work.threads;
    this.whole = work.whole;
    this.#control = new SharedArrayBuffer(controlBytes + work.count);
    this.#words = new Int32Array(this.#control, 0, controlBytes / 4);
    this.#done = new Uint8Array(this.#control, controlBytes);
  }

  /** Whether one more worker would find something to do. */
  get wantsTurn(): boolean {
    if (this.settled || this.#failure !== undefined || this.#word('claim') >= this.count) return false;
    return this.turns < Math.min(this.count, this.whole ? 1 : this.threads);
  }

  override get rounds(): number {
    return this.#word('rounds');
  }

  /** All ranges are done. Workers whose turn has not begun, which may take long on a busy machine, will find none to claim. */
  get complete(): boolean {
    return this.#failure === undefined && this.ranges >= this.count;
  }

  /** How many ranges are done. */
  get ranges(): number {
    return this.#word('done');
  }

  /**
   * What a worker is told for one turn.
   *
   * @param threads native threads, for what is whole only
   */
  abstract message(threads: number, waiting: Int32Array): TurnMessage;

  /** The part of a message that all kinds have. */
  protected turn(threads: number, waiting: Int32Array) {
    return { kind: 'turn', threads, crew: this.threads, control: this.#control, waiting } as const;
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
    Atomics.store(this.#words, controlWords.claim, done === this.count ? done : 0);
  }

  #word(name: keyof typeof controlWords): number {
    return Atomics.load(this.#words, controlWords[name]);
  }
}

/** A tensor that workers fill in place, in shared memory. */
export class SharedJob extends ClaimedJob {
  readonly order: Order;
  readonly memory: SharedMemory;
  /** Whether `memory` is the tensor's own; if not, it is copied at the end. */
  readonly inPlace: boolean;
  readonly #split: Split;

  constructor(order: Order, memory: SharedMemory, inPlace: boolean, onSettled: (error: unknown) => void) {
    const { fn, fill, tensor, threads } = order;
    const cut = isSequential(fill, order.key)
      ? splitSequence(fill, tensor.size, threads)
      : split(fill, tensor.dtype, memory.byteOffset, tensor.size);
    const bytesEach = dtypes[tensor.dtype].bytes;
    super({ fn, size: tensor.size, bytesEach, count: cut.count, threads, whole: isWhole(fill) }, onSettled);
    this.order = order;
    this.memory = memory;
    this.inPlace = inPlace;
    this.#split = cut;
    prepareMemory(viewOf(tensor.dtype, memory.buffer, memory.byteOffset, tensor.size));
  }

  progress(): number {
    return this.ranges >= this.count ? this.size : Math.min(this.size, this.ranges * this.#split.step);
  }

  message(threads: number, waiting: Int32Array): TurnMessage {
    const { fill, key, begin, tensor } = this.order;
    const { first, step } = this.#split;
    const work = {
      of: 'fill',
      ...this.memory,
      length: tensor.size,
      dtype: tensor.dtype,
      fill,
      key,
      begin,
      first,
      step,
    } as const;
    return { ...this.turn(threads, waiting), work };
  }
}

/** Work of another room's: what a range of it is, its module says. */
export interface Task {
  readonly fn: string;
  /** The source of the module, such as 'lib/checkpoint/virtual/task', which exports `doRange`. */
  readonly module: string;
  /** What doRange takes; cloned for each turn of a worker, so little, or shared memory. */
  readonly data: unknown;
  /** How many ranges it has. */
  readonly count: number;
  /** What progress counts; spread evenly over the ranges. */
  readonly bytes: number;
  /** Whether it is one piece of work for many native threads. */
  readonly whole: boolean;
}

/** A task on its way. */
export class TaskJob extends ClaimedJob {
  readonly #task: Task;

  constructor(task: Task, threads: number, onSettled: (error: unknown) => void) {
    const { fn, bytes, count, whole } = task;
    super({ fn, size: bytes, bytesEach: 1, count, threads, whole }, onSettled);
    this.#task = task;
  }

  progress(): number {
    return Math.floor((this.size * Math.min(this.ranges, this.count)) / this.count);
  }

  message(threads: number, waiting: Int32Array): TurnMessage {
    const { module, data } = this.#task;
    return { ...this.turn(threads, waiting), work: { of: 'task', module: compiledFile(module), data } };
  }
}
