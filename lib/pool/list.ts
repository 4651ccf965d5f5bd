import { setImmediate as nextTurn } from 'node:timers/promises';
import { typeError } from '../core/check.js';
import { fillTarget } from '../init/fill-target.js';
import { type Key, noKey } from '../native/addon.js';
import type { Generator } from '../random/generator.js';
import { isFillingAny } from './filling.js';
import { type CheckedItem, checkItem, named, Resolver, Wasted } from './item.js';
import type { Operation } from './operation.js';
import type { Scheduler } from './scheduler.js';
import { isTiny } from './split.js';
import type { Tensors } from './tensors.js';
import { fillInTurn, keyAtOnce } from './turn.js';

/** What `pool.fill` has done. */
export interface FillResult {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** Items taken and not yet filled: no more than this many, and of an iterable, whose tensors may be made as they are taken, no more bytes unless it is two items. */
const mostAhead = 1024;
const mostBytesAhead = 64 << 20;
/** How long items may be prepared at a time before the event loop gets its turn. */
const sliceMilliseconds = 1;
/** How often the time is looked at. */
const clockItems = 16;
/** Further errors are counted. */
const mostErrors = 100;

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

/**
 * Iterates over what `pool.fill` was given.
 *
 * @internal
 */
export function iteratorOf(items: unknown): AnyIterator {
  const iterable = items as {
    [Symbol.asyncIterator]?: () => AnyIterator;
    [Symbol.iterator]?: () => AnyIterator;
  } | null;
  const of = typeof items === 'object' ? (iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator]) : undefined;
  if (typeof of !== 'function') throw typeError('fill', 'items', 'an array or an (async) iterable of items', items);
  const iterator: unknown = of.call(iterable);
  if (typeof (iterator as AnyIterator | null | undefined)?.next === 'function') return iterator as AnyIterator;
  throw typeError('fill', 'items', 'an iterable whose iterator has a next()', iterator);
}

const isPromiseLike = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';

/** What an iterator gives, by hand too: what is no object, for await refuses, and it would never be done. */
const isStep = (value: unknown): value is { readonly done?: unknown; readonly value?: unknown } =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

/**
 * What a list is filled with.
 *
 * @internal
 */
export interface ListOptions {
  readonly scheduler: Scheduler;
  readonly tensors: Tensors;
  readonly operation: Operation;
  readonly items: readonly unknown[] | AnyIterator;
  /** Of the first items, where they are taken already. */
  readonly keys: readonly (Key | undefined)[];
  readonly generator: Generator;
  /** How many of the pool's threads each tensor may use at most; 0 for all. */
  readonly threads: number;
}

/**
 * Feeds items to the workers, never far ahead of them.
 *
 * @internal
 */
export class List {
  readonly #scheduler: Scheduler;
  readonly #tensors: Tensors;
  readonly #operation: Operation;
  readonly #array: readonly unknown[] | undefined;
  readonly #iterator: AnyIterator | undefined;
  readonly #keys: readonly (Key | undefined)[];
  readonly #generator: Generator;
  readonly #threads: number;
  readonly #resolver = new Resolver();
  readonly #errors: Error[] = [];
  #failed = 0;
  #taken = 0;
  #filled = 0;
  #ahead = 0;
  #bytesAhead = 0;
  /** Of those ahead, how many are filled and with their callbacks. */
  #withCallbacks = 0;
  /** Of the last item that was handed out. */
  #lastBytes = 0;
  /** Whether the iterator is being asked for its next item: then it cannot be told to return. */
  #asking = false;
  /** Called when a tensor is filled, or all is stopped. */
  #onChange: (() => void) | undefined;
  #onStop: (() => void) | undefined;

  constructor({ scheduler, tensors, operation, items, keys, generator, threads }: ListOptions) {
    this.#scheduler = scheduler;
    this.#tensors = tensors;
    this.#operation = operation;
    if (Array.isArray(items)) this.#array = items;
    else this.#iterator = items as AnyIterator;
    this.#keys = keys;
    this.#generator = generator;
    this.#threads = threads;
    operation.onStop(() => this.#stop());
  }

  async run(): Promise<FillResult> {
    let failure: { readonly error: unknown } | undefined;
    try {
      await this.#feed();
    } catch (error) {
      failure = { error }; // the iterable's own
    }
    while (this.#ahead > 0 && !this.#onlyCallbacksLeft) await this.#change();
    const { stopped } = this.#operation;
    if (stopped !== undefined) throw stopped.reason;
    if (failure !== undefined) throw failure.error;
    if (this.#failed > 0) throw this.#error();
    return { tensors: this.#filled, ...this.#operation.done };
  }

  #stop(): void {
    this.#onChange?.();
    this.#onStop?.();
    if (!this.#asking) this.#return();
  }

  #return(): void {
    try {
      // Not awaited: a generator that waits for something else returns only after that.
      const returned = this.#iterator?.return?.();
      // Of whatever realm or library.
      if (isPromiseLike(returned)) Promise.resolve(returned).catch(() => undefined);
    } catch {
      // The reason to stop is what the caller gets to see.
    }
  }

  async #feed(): Promise<void> {
    let start = performance.now();
    while (this.#operation.stopped === undefined) {
      if (this.#array !== undefined) {
        if (this.#taken === this.#array.length) return;
        this.#take(this.#array[this.#taken]);
      } else {
        const next = this.#next();
        const step = isPromiseLike(next) ? await this.#unlessStopped(next) : next;
        if (this.#operation.stopped !== undefined) return;
        if (!isStep(step)) throw typeError('fill', 'items', 'an iterator whose next() gives { done, value }', step);
        if (step.done) return;
        this.#take(step.value);
      }
      while (this.#full && this.#operation.stopped === undefined) {
        await this.#change();
        start = performance.now();
      }
      if (this.#taken % clockItems !== 0 || performance.now() - start < sliceMilliseconds) continue;
      await nextTurn();
      start = performance.now();
    }
  }

  /** What the iterator gives, which may stop the list itself: a generator can return only when it is through. */
  #next(): unknown {
    const stopped = this.#operation.stopped !== undefined;
    this.#asking = true;
    try {
      return this.#iterator?.next();
    } finally {
      this.#asking = false;
      if (!stopped && this.#operation.stopped !== undefined) this.#return();
    }
  }

  get #full(): boolean {
    if (this.#ahead >= mostAhead) return true;
    if (this.#iterator === undefined) return false;
    if (this.#ahead >= 2 && this.#bytesAhead >= mostBytesAhead) return true;
    return this.#ahead > 0 && !this.#tensors.hasRoom(this.#lastBytes);
  }

  /** After a stop nobody waits for callbacks, which may take for ever. */
  get #onlyCallbacksLeft(): boolean {
    return this.#operation.stopped !== undefined && this.#withCallbacks === this.#ahead;
  }

  #unlessStopped<T>(next: PromiseLike<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#onStop = () => resolve(undefined);
      next.then(resolve, reject);
      if (this.#operation.stopped !== undefined) resolve(undefined); // by whoever was asked, and may never answer
    });
  }

  #take(item: unknown): void {
    const index = this.#taken++;
    try {
      if (item instanceof Wasted) {
        this.#generator.nextKey(item.fill, item.dtype, item.elements);
        return;
      }
      const checked = checkItem(item, this.#resolver);
      const { fill, random } = checked;
      const { dtype, size } = checked.tensor;
      if (size === 0) {
        this.#conclude(index, item, checked);
        return;
      }
      const generator = this.#generator;
      const key = random ? (this.#keys[index] ?? keyAtOnce(generator, fill, dtype, size)) : noKey;
      if (key !== undefined && isTiny(fill, dtype, size) && !isFillingAny(checked.tensor.data)) {
        fillTarget(checked.tensor, fill, key, 1);
        this.#operation.count(size, checked.tensor.data.byteLength);
        this.#conclude(index, item, checked);
        return;
      }
      this.#handOut(index, item, checked, key);
    } catch (error) {
      this.#fail(index, item, error);
    }
  }

  /** Gives an item to the workers; without a key it waits for its generator's turn. */
  #handOut(index: number, item: unknown, checked: CheckedItem, key: Key | undefined): void {
    const { tensor, fill } = checked;
    const bytes = tensor.data.byteLength;
    const ended = (error?: unknown): void => {
      if (error === undefined) this.#conclude(index, item, checked);
      else this.#fail(index, item, error);
      this.#leave(bytes);
    };
    const order = { fn: 'fill', tensor, fill, begin: 0, threads: this.#threads, party: this };
    if (key === undefined) {
      fillInTurn(this.#generator, order, this.#operation, this.#scheduler).then(() => ended(), ended);
      this.#enter(bytes);
      return;
    }
    const job = this.#scheduler.submit({ ...order, key }, (error) => {
      this.#operation.remove(job, error === undefined);
      ended(error);
    });
    this.#enter(bytes); // not before, since submit may throw, nor after, since this may cancel it
    this.#operation.add(job);
  }

  /** An item is filled. With a callback it stays among those ahead until that is through. */
  #conclude(index: number, item: unknown, { tensor, onFilled }: CheckedItem): void {
    if (onFilled === undefined) {
      this.#filled++;
      return;
    }
    const bytes = tensor.data.byteLength;
    this.#enter(bytes);
    this.#withCallbacks++;
    onFilled()
      .then(
        () => this.#filled++,
        (error: unknown) => this.#fail(index, item, error),
      )
      .finally(() => {
        this.#withCallbacks--;
        this.#leave(bytes);
      });
  }

  #enter(bytes: number): void {
    this.#ahead++;
    this.#bytesAhead += bytes;
    this.#lastBytes = bytes;
  }

  #leave(bytes: number): void {
    this.#ahead--;
    this.#bytesAhead -= bytes;
    this.#onChange?.();
  }

  #fail(index: number, item: unknown, error: unknown): void {
    this.#failed++;
    if (this.#operation.stopped === undefined && this.#errors.length < mostErrors) {
      this.#errors.push(named(index, item, error));
    }
  }

  #error(): AggregateError {
    const first = this.#errors[0]?.message ?? '';
    const count = this.#failed === 1 ? '1 item' : `${this.#failed} items`;
    return new AggregateError(this.#errors, `fill: ${count} of ${this.#taken} could not be filled: ${first}`);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = resolve;
    });
  }
}
