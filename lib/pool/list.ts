import { setImmediate as next_turn } from 'node:timers/promises';
import { is_plain_object, type_error, unknown_option } from '../check.js';
import { dtypes } from '../dtype.js';
import { default_generator, type Generator } from '../generator.js';
import { definition_of, type Initializer, type Name, resolve } from '../initializers.js';
import { type Key, run_fill } from '../native.js';
import { as_tensor, type TensorLike } from '../tensor.js';
import type { Order } from './job.js';
import type { Operation } from './operation.js';
import type { Scheduler } from './scheduler.js';
import { cost_of } from './split.js';

/** One tensor of `pool.fill`. */
export interface FillItem {
  readonly tensor: TensorLike;
  readonly initializer: Initializer;
  /** For messages. */
  readonly name?: string | undefined;
}

/** What `pool.fill` has done. */
export interface FillResult {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** Items taken and not yet filled: no more than this many, nor more bytes unless it is two items. */
const most_ahead = 1024;
const most_bytes_ahead = 64 << 20;
/** How long items may be prepared at a time before the event loop gets its turn. */
const slice_milliseconds = 1;
/** Of a list's items this thread fills those itself that are smaller, and take less time; a few thousand in a slice. */
const most_tiny_bytes = 16 << 10;
const most_tiny_nanoseconds = 2000;
/** Further errors are counted. */
const most_errors = 100;

export const no_key: Key = { seed: 0n, stream: 0n };
const item_fields = ['tensor', 'initializer', 'name'];

/** Whether an item will take a stream; false for one that will be refused for what it is. */
function takes_stream(item: unknown): boolean {
  try {
    const { tensor, initializer } = item as FillItem;
    const name = typeof initializer === 'string' ? initializer : initializer.init;
    return definition_of(name).random && (tensor.data as ArrayLike<number>).length > 0;
  } catch {
    return false;
  }
}

/**
 * The streams of a list's items, in order. An item that is refused later has taken its stream all the same: what is wrong
 * with one does not change the others' bytes.
 */
export function take_keys(items: readonly unknown[], generator: Generator): (Key | undefined)[] {
  return items.map((item) => (takes_stream(item) ? generator.next_key() : undefined));
}

/** The sizes of a list's tensors, as far as they can be told before each is checked. */
export function total_of(items: readonly unknown[]): { elements: number; bytes: number } {
  let elements = 0;
  let bytes = 0;
  for (const item of items) {
    try {
      const data = (item as FillItem).tensor.data as Uint16Array;
      elements += data.length;
      bytes += data.byteLength;
    } catch {
      // it will be refused
    }
  }
  return { elements, bytes };
}

/** Checks an item; undefined for a tensor without elements. */
function order_of(item: unknown, key: Key | undefined, generator: Generator | undefined): Order | undefined {
  const fn = 'fill';
  if (!is_plain_object(item)) throw type_error(fn, 'an item', 'an object with tensor and initializer', item);
  for (const field of Object.keys(item)) {
    if (!item_fields.includes(field)) throw unknown_option(fn, field, item_fields);
  }
  const tensor = as_tensor(fn, item.tensor);
  const initializer = item.initializer as Initializer;
  const fill = resolve(initializer, tensor.shape, { dtype: tensor.dtype });
  if (tensor.size === 0) return undefined;
  const name: Name = typeof initializer === 'string' ? initializer : initializer.init;
  const stream = definition_of(name).random ? (key ?? (generator ?? default_generator).next_key()) : no_key;
  return { fn, tensor, fill, key: stream, begin: 0, threads: 0 };
}

/** Whether sending a tensor to a worker, and copying it back, takes as long as filling it here. */
function is_tiny({ fill, tensor }: Order, bytes: number): boolean {
  return bytes <= most_tiny_bytes && cost_of(fill, tensor.dtype, tensor.size) <= most_tiny_nanoseconds;
}

function label(index: number, item: unknown): string {
  const name = (item as Partial<FillItem> | null | undefined)?.name;
  return typeof name === 'string' ? `item ${index} ('${name}')` : `item ${index}`;
}

/** The same error, in the name of its item. */
function named(index: number, item: unknown, error: unknown): Error {
  const message = `fill: ${label(index, item)}: ${error instanceof Error ? error.message : String(error)}`;
  if (error instanceof TypeError) return new TypeError(message, { cause: error });
  return error instanceof RangeError ? new RangeError(message, { cause: error }) : new Error(message, { cause: error });
}

type Step = IteratorResult<unknown, unknown>;
type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

/** Iterates over what `pool.fill` was given. */
export function iterator_of(items: unknown): AnyIterator {
  const iterable = items as {
    [Symbol.asyncIterator]?: () => AnyIterator;
    [Symbol.iterator]?: () => AnyIterator;
  } | null;
  const of = typeof items === 'object' ? (iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator]) : undefined;
  if (typeof of !== 'function') throw type_error('fill', 'items', 'an array or an (async) iterable of items', items);
  return of.call(iterable);
}

/** Feeds items to the workers, never far ahead of them. */
export class List {
  readonly #scheduler: Scheduler;
  readonly #operation: Operation;
  readonly #iterator: AnyIterator;
  readonly #keys: readonly (Key | undefined)[];
  readonly #generator: Generator | undefined;
  readonly #errors: Error[] = [];
  #failed = 0;
  #taken = 0;
  #filled = 0;
  #ahead = 0;
  #bytes_ahead = 0;
  /** Called when a tensor is filled, or all is stopped. */
  #on_change: (() => void) | undefined;
  #on_stop: (() => void) | undefined;

  constructor(
    scheduler: Scheduler,
    operation: Operation,
    iterator: AnyIterator,
    keys: readonly (Key | undefined)[],
    generator: Generator | undefined,
  ) {
    this.#scheduler = scheduler;
    this.#operation = operation;
    this.#iterator = iterator;
    this.#keys = keys;
    this.#generator = generator;
  }

  async run(): Promise<FillResult> {
    let failure: { readonly error: unknown } | undefined;
    try {
      await this.#feed();
    } catch (error) {
      failure = { error }; // the iterable's own
    }
    while (this.#ahead > 0) await this.#change();
    const { stopped } = this.#operation;
    if (stopped !== undefined) throw stopped.reason;
    if (failure !== undefined) throw failure.error;
    if (this.#failed > 0) throw this.#error();
    return { tensors: this.#filled, ...this.#operation.done };
  }

  /** To be called when the operation is stopped. */
  stop(): void {
    this.#on_change?.();
    this.#on_stop?.();
    try {
      // Not awaited: a generator that waits for something else returns only after that.
      const returned = this.#iterator.return?.();
      if (returned instanceof Promise) returned.catch(() => undefined);
    } catch {
      // The reason to stop is what the caller gets to see.
    }
  }

  async #feed(): Promise<void> {
    let start = performance.now();
    while (this.#operation.stopped === undefined) {
      const next = this.#iterator.next() as Step | PromiseLike<Step>;
      const step = 'then' in next ? await this.#unless_stopped(next) : next;
      if (step === undefined || step.done === true) return;
      this.#take(step.value);
      while (this.#full && this.#operation.stopped === undefined) {
        await this.#change();
        start = performance.now();
      }
      if (performance.now() - start < slice_milliseconds) continue;
      await next_turn();
      start = performance.now();
    }
  }

  get #full(): boolean {
    return this.#ahead >= most_ahead || (this.#ahead >= 2 && this.#bytes_ahead >= most_bytes_ahead);
  }

  #unless_stopped<T>(next: PromiseLike<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#on_stop = () => resolve(undefined);
      next.then(resolve, reject);
    });
  }

  #take(item: unknown): void {
    const index = this.#taken++;
    try {
      const order = order_of(item, this.#keys[index], this.#generator);
      if (order === undefined) {
        this.#filled++;
        return;
      }
      const bytes = order.tensor.size * dtypes[order.tensor.dtype].bytes;
      if (is_tiny(order, bytes)) {
        run_fill(order.tensor.data, order.tensor.dtype, order.fill, order.key, 0, 1);
        this.#operation.count(order.tensor.size, bytes);
        this.#filled++;
        return;
      }
      this.#ahead++;
      this.#bytes_ahead += bytes;
      const job = this.#scheduler.submit(order, (error) => {
        this.#ahead--;
        this.#bytes_ahead -= bytes;
        this.#operation.remove(job, error === undefined);
        if (error === undefined) this.#filled++;
        else this.#fail(index, item, error);
        this.#on_change?.();
      });
      this.#operation.add(job);
    } catch (error) {
      this.#fail(index, item, error);
    }
  }

  #fail(index: number, item: unknown, error: unknown): void {
    this.#failed++;
    if (this.#operation.stopped === undefined && this.#errors.length < most_errors) {
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
      this.#on_change = resolve;
    });
  }
}
