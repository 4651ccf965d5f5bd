import { rangeError } from '../core/check.js';
import { type Fill, isWhole } from '../core/fill.js';
import { compiledFile } from '../core/package-files.js';
import { isTorchKey, type Key, type PhiloxKey, prepareMemory } from '../native/addon.js';
import type { Slice } from '../tensor/slice.js';
import { bytesEach, type Target } from '../tensor/target.js';
import type { CheckedTensor } from '../tensor/tensor.js';
import { type Control, controlWords, doneOf, newControl, wordsOf } from './control.js';
import type { TurnJob } from './messages.js';
import { costOf, isSequential, type Split, split, splitSequence } from './split.js';

/** One tensor to be filled, all of it checked and its stream taken. */
export interface Order {
  /** In whose name errors are made. */
  readonly fn: string;
  readonly tensor: Target;
  readonly fill: Fill;
  readonly key: Key;
  /** Index of the tensor's first element within the fill. */
  readonly begin: number;
  /** Where the tensor is a part of what is filled: which one. */
  readonly slice?: Slice | undefined;
  /** How many of the pool's threads it may use at most; 0 for all, which the scheduler puts in its place. */
  readonly threads: number;
  /** The same for all of one call, which need not take turns with each other. */
  readonly party?: unknown;
}

/** Work on its way. It settles once: done, or with an error, and then nothing writes to its memory any more. */
export abstract class Job {
  /** In whose name errors are made. */
  readonly fn: string;
  /** Elements, or bytes where there are no elements. */
  readonly size: number;
  readonly bytesEach: number;
  /** What is filled, where it is one tensor. */
  abstract readonly order: Order | undefined;
  /** Estimated nanoseconds on one thread; infinity where nobody knows. */
  abstract readonly cost: number;
  settled = false;
  /** On whose behalf it is: workers stay with a job while others of the same party wait, and take turns between parties. */
  readonly party: unknown;
  readonly #onSettled: (error: unknown) => void;

  constructor(fn: string, size: number, bytesEach: number, onSettled: (error: unknown) => void, party?: unknown) {
    this.fn = fn;
    this.size = size;
    this.bytesEach = bytesEach;
    this.party = party ?? this;
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

/** An error where a tensor's memory went away since it was checked, or is of another size than that of so many elements. */
export function memoryError(fn: string, data: Target['data'], elements: number, bytes: number): Error | undefined {
  if (data.byteLength === bytes) return undefined;
  const [what, why] =
    data.byteLength > bytes
      ? [`the ${elements} elements that there were`, 'its resizable buffer grew during the fill']
      : ['memory that is still there', 'it was detached or shrank during the fill'];
  return rangeError(fn, 'data', what, data, why);
}

/** False where there is such an error: then the job has settled with it. */
export function hasMemory(job: Job & { readonly order: Order }): boolean {
  const { fn, tensor } = job.order;
  const error = memoryError(fn, tensor.data, job.size, job.size * job.bytesEach);
  if (error !== undefined) job.settle(error);
  return error === undefined;
}

/** A job that workers fill in the pool's own memory, piece by piece; this thread copies each piece to where it belongs. */
export class StagedJob extends Job {
  /** Elements that were handed out. */
  next = 0;
  /** Elements that were copied. */
  copied = 0;
  readonly cost: number;
  /** The same for an element. */
  readonly costEach: number;
  readonly key: PhiloxKey;
  readonly whole: boolean;
  readonly order: Order & { readonly tensor: CheckedTensor };

  constructor(order: StagedJob['order'], onSettled: (error: unknown) => void) {
    const { fn, fill, tensor, key } = order;
    super(fn, tensor.size, bytesEach(tensor.dtype), onSettled);
    this.order = order;
    if (isTorchKey(key)) throw new Error('a fill of the engine torch is not staged');
    this.key = key;
    this.whole = isWhole(fill);
    this.cost = costOf(fill, tensor.dtype, tensor.size);
    this.costEach = this.cost / tensor.size;
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
  readonly cost: number;
  readonly #control: Control;
  readonly #words: Int32Array;
  #failure: { readonly error: unknown } | undefined;
  /** Set when the job is stopped from outside: it settles without the acknowledgement of workers that have not begun. */
  #cancelled = false;

  constructor(
    work: {
      readonly fn: string;
      readonly size: number;
      readonly bytesEach: number;
      readonly count: number;
      readonly threads: number;
      readonly whole: boolean;
      readonly cost: number;
      readonly party?: unknown;
    },
    onSettled: (error: unknown) => void,
  ) {
    super(work.fn, work.size, work.bytesEach, onSettled, work.party);
    this.count = work.count;
    this.threads = work.threads;
    this.whole = work.whole;
    this.cost = work.cost;
    this.#control = newControl(work.count);
    this.#words = wordsOf(this.#control);
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

  /** How much of what one worker makes whole is done. */
  protected get partOfWhole(): number {
    return Math.floor((this.size * this.#word('part')) / 1000);
  }

  /** Whether a turn is of this job alone, and no other work waits at its worker: it takes long, or workers have died of it. */
  get alone(): boolean {
    return this.whole || this.deaths > 0;
  }

  /** What a worker is told for one turn. */
  turn(): TurnJob {
    return { work: this.work(), crew: this.threads, control: this.#control };
  }

  protected abstract work(): TurnJob['work'];

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
    const done = doneOf(this.#control).reduce((sum, each) => sum + each, 0);
    Atomics.store(this.#words, controlWords.done, done);
    Atomics.store(this.#words, controlWords.active, 0);
    Atomics.store(this.#words, controlWords.claim, done === this.count ? done : 0);
  }

  #word(name: keyof typeof controlWords): number {
    return Atomics.load(this.#words, controlWords[name]);
  }
}

/** Node.js 20 has no array of bytes over more than 4 GiB. */
const preparedAtOnce = 2 ** 30;

function prepare({ buffer, byteOffset }: SharedMemory, bytes: number): void {
  for (let begin = 0; begin < bytes; begin += preparedAtOnce) {
    prepareMemory(new Uint8Array(buffer, byteOffset + begin, Math.min(preparedAtOnce, bytes - begin)));
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
    const { fn, fill, tensor, threads, party } = order;
    const cut = isSequential(fill, order.key)
      ? splitSequence(fill, tensor.size, threads)
      : split(fill, tensor.dtype, memory.byteOffset, tensor.size);
    const each = bytesEach(tensor.dtype);
    const cost = costOf(fill, tensor.dtype, tensor.size);
    super(
      { fn, size: tensor.size, bytesEach: each, count: cut.count, threads, whole: isWhole(fill), cost, party },
      onSettled,
    );
    this.order = order;
    this.memory = memory;
    this.inPlace = inPlace;
    this.#split = cut;
    prepare(memory, tensor.size * each);
  }

  progress(): number {
    if (this.ranges >= this.count) return this.size;
    return this.whole ? this.partOfWhole : Math.min(this.size, this.ranges * this.#split.step);
  }

  protected work(): TurnJob['work'] {
    const { fill, key, begin, slice, tensor } = this.order;
    const { buffer, byteOffset } = this.memory;
    const { first, step } = this.#split;
    const { size: length, dtype } = tensor;
    return { of: 'fill', buffer, byteOffset, length, dtype, fill, key, begin, slice, first, step };
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
  /** The same for all tasks of one call, which need not take turns with each other. */
  readonly party: unknown;
}

/** A task on its way. */
export class TaskJob extends ClaimedJob {
  readonly order = undefined;
  readonly #task: Task;

  constructor(task: Task, threads: number, onSettled: (error: unknown) => void) {
    const { fn, bytes, count, whole, party } = task;
    const cost = Number.POSITIVE_INFINITY;
    super({ fn, size: bytes, bytesEach: 1, count, threads, whole, cost, party }, onSettled);
    this.#task = task;
  }

  progress(): number {
    if (this.whole && this.ranges < this.count) return this.partOfWhole;
    return Math.floor((this.size * Math.min(this.ranges, this.count)) / this.count);
  }

  protected work(): TurnJob['work'] {
    const { module, data } = this.#task;
    return { of: 'task', module: compiledFile(module), data };
  }
}
