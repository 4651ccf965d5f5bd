import { isPlainObject, typeError, unknownOption } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { isDrawn } from '../init/draw.js';
import type { Initializer } from '../init/initializers.js';
import { resolve } from '../init/resolve.js';
import type { Key } from '../native/addon.js';
import type { Generator } from '../random/generator.js';
import { asTensor, type CheckedTensor, type TensorLike } from '../tensor/tensor.js';

/** One tensor of `pool.fill`. */
export interface FillItem {
  readonly tensor: TensorLike;
  readonly initializer: Initializer;
  /** For messages. */
  readonly name?: string | undefined;
}

const fn = 'fill';
const itemFields = ['tensor', 'initializer', 'name'] as const;

/** What a stream is taken for does not matter. */
const anyFill: Fill = { kind: 'normal', mean: 0, std: 1 };

/** Whether an item will take a stream; false for one that will be refused for what it is. */
function takesStream(item: unknown): boolean {
  try {
    const { tensor, initializer } = item as FillItem;
    return isDrawn(initializer) && (tensor.data as ArrayLike<number>).length > 0;
  } catch {
    return false;
  }
}

/**
 * The streams of a list's items, in order. An item that is refused later has taken its stream all the same: what is wrong
 * with one does not change the others' bytes.
 */
export function takeKeys(items: readonly unknown[], generator: Generator): (Key | undefined)[] {
  if (generator.engine !== 'philox') return []; // its keys depend on the fills themselves: one after the other
  return items.map((item) => (takesStream(item) ? generator.nextKey(anyFill, 'float32', 1) : undefined));
}

/** The sizes of a list's tensors, as far as they can be told before each is checked. */
export function totalOf(items: readonly unknown[]): { elements: number; bytes: number } {
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

interface Resolved {
  readonly fill: Fill;
  readonly random: boolean;
}

/** Resolves initializers, and remembers the last one: lists have many alike. */
export class Resolver {
  #initializer: Readonly<Record<string, unknown>> | string = '';
  #entries = 0;
  #shape: readonly number[] = [];
  #dtype: Dtype | undefined;
  #resolved: Resolved | undefined;

  resolve(initializer: Initializer, { shape, dtype }: CheckedTensor): Resolved {
    if (this.#resolved !== undefined && this.#isLast(initializer, shape, dtype)) return this.#resolved;
    const fill = resolve(initializer, shape, { dtype });
    this.#initializer = typeof initializer === 'string' ? initializer : { ...initializer };
    this.#entries = Object.keys(this.#initializer).length;
    this.#shape = [...shape];
    this.#dtype = dtype;
    this.#resolved = { fill, random: isDrawn(initializer) };
    return this.#resolved;
  }

  #isLast(initializer: unknown, shape: readonly number[], dtype: Dtype): boolean {
    const last = this.#shape;
    if (dtype !== this.#dtype || shape.length !== last.length) return false;
    for (let i = 0; i < last.length; i++) if (shape[i] !== last[i]) return false;
    return initializer === this.#initializer || this.#hasEntriesOf(initializer);
  }

  #hasEntriesOf(initializer: unknown): boolean {
    const last = this.#initializer;
    if (typeof last === 'string' || !isPlainObject(initializer)) return false;
    let count = 0;
    for (const name in initializer) {
      if (!Object.is(initializer[name], last[name])) return false;
      count++;
    }
    return count === this.#entries;
  }
}

/** An item that is ready to be filled. */
export interface CheckedItem extends Resolved {
  readonly tensor: CheckedTensor;
}

/** Checks an item, and resolves it. */
export function checkItem(item: unknown, resolver: Resolver): CheckedItem {
  if (!isPlainObject(item)) throw typeError(fn, 'an item', 'an object with tensor and initializer', item);
  for (const field in item) {
    if (field !== 'tensor' && field !== 'initializer' && field !== 'name') throw unknownOption(fn, field, itemFields);
  }
  const tensor = asTensor(fn, item.tensor);
  const { fill, random } = resolver.resolve(item.initializer as Initializer, tensor);
  return { tensor, fill, random };
}

function label(index: number, item: unknown): string {
  const name = (item as Partial<FillItem> | null | undefined)?.name;
  return typeof name === 'string' ? `item ${index} ('${name}')` : `item ${index}`;
}

/** The same error, in the name of its item. */
export function named(index: number, item: unknown, error: unknown): Error {
  const message = `fill: ${label(index, item)}: ${error instanceof Error ? error.message : String(error)}`;
  if (error instanceof TypeError) return new TypeError(message, { cause: error });
  return error instanceof RangeError ? new RangeError(message, { cause: error }) : new Error(message, { cause: error });
}
