import { isPlainObject, typeError, unknownOption } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { elementsOf } from '../core/shape.js';
import { checkNarrowFill } from '../init/check-narrow-fill.js';
import { isDrawn } from '../init/draw.js';
import { type Initializer, initializers, type Name } from '../init/initializers.js';
import { resolve } from '../init/resolve.js';
import type { Key } from '../native/addon.js';
import type { Generator } from '../random/generator.js';
import { isNarrow, type NarrowDtype, type NarrowTensor } from '../tensor/narrow.js';
import { asTarget, bytesEach, drawnIn, isNarrowTarget, type Target } from '../tensor/target.js';
import type { TensorLike } from '../tensor/tensor.js';
import { ofCaller } from './operation.js';

/** Of a method, which TypeScript also takes where it is for a narrower type. */
interface Callbacks {
  onFilled(tensor: TensorLike | NarrowTensor): unknown;
}

/** One tensor of `pool.fill`. */
export interface FillItem {
  readonly tensor: TensorLike | NarrowTensor;
  readonly initializer: Initializer;
  /** For messages. */
  readonly name?: string | undefined;
  /**
   * Called with the tensor when it is filled: to use it and, if it is of `pool.empty`, to release it. Of an iterable no more items are taken
   * ahead than without; what it returns is awaited first. What it throws is the item's error.
   */
  readonly onFilled?: Callbacks['onFilled'] | undefined;
}

/** Among a list's items: what is drawn, and thrown away. */
export class Wasted {
  readonly fill: Fill;
  readonly dtype: Dtype;
  readonly elements: number;

  constructor(fill: Fill, dtype: Dtype, shape: readonly number[]) {
    this.fill = fill;
    this.dtype = dtype;
    this.elements = elementsOf(shape);
  }
}

const fn = 'fill';
const itemFields: readonly string[] = ['tensor', 'initializer', 'name', 'onFilled'];

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
      const { data, dtype } = (item as FillItem).tensor as Target;
      elements += isNarrow(dtype) ? data.byteLength / bytesEach(dtype) : data.length;
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
  #dtype: Dtype | NarrowDtype | undefined;
  #resolved: Resolved | undefined;

  resolve(initializer: Initializer, tensor: Target): Resolved {
    const { shape, dtype } = tensor;
    if (this.#resolved !== undefined && this.#isLast(initializer, shape, dtype)) return this.#resolved;
    const fill = resolve(initializer, shape, { dtype: drawnIn(dtype) });
    if (isNarrowTarget(tensor))
      checkNarrowFill(typeof initializer === 'string' ? initializer : initializer.init, fill, tensor);
    this.#initializer = typeof initializer === 'string' ? initializer : { ...initializer };
    this.#entries = Object.keys(this.#initializer).length;
    this.#shape = [...shape];
    this.#dtype = dtype;
    this.#resolved = { fill, random: isDrawn(initializer) };
    return this.#resolved;
  }

  #isLast(initializer: unknown, shape: readonly number[], dtype: Dtype | NarrowDtype): boolean {
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
      // Of an array of axes nobody knows whether it still says what it said.
      if (!Object.is(initializer[name], last[name]) || typeof initializer[name] === 'object') return false;
      count++;
    }
    return count === this.#entries;
  }
}

/** An item that is ready to be filled. */
export interface CheckedItem extends Resolved {
  readonly tensor: Target;
  readonly onFilled: (() => Promise<unknown>) | undefined;
}

/** Whether integers of two bytes and more can be filled with it too, as by `init.*_`. */
function takesIntegers(initializer: unknown): boolean {
  const name: unknown = isPlainObject(initializer) ? initializer.init : initializer;
  return typeof name === 'string' && Object.hasOwn(initializers, name) && initializers[name as Name].integers === true;
}

/** Checks an item, and resolves it. */
export function checkItem(item: unknown, resolver: Resolver): CheckedItem {
  if (!isPlainObject(item)) throw typeError(fn, 'an item', 'an object with tensor and initializer', item);
  for (const field in item) {
    if (!itemFields.includes(field)) throw unknownOption(fn, field, itemFields);
  }
  const { initializer, onFilled } = item;
  if (onFilled !== undefined && typeof onFilled !== 'function') throw typeError(fn, 'onFilled', 'a function', onFilled);
  const given = item.tensor;
  const tensor = asTarget(fn, given, takesIntegers(initializer));
  const { fill, random } = resolver.resolve(initializer as Initializer, tensor);
  return { tensor, fill, random, onFilled: onFilled && ofCaller(async () => await onFilled(given)) };
}

/** What `read` gives, or `otherwise` where it throws: names and errors are other people's, and so are their getters. */
function safely<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

function label(index: number, item: unknown): string {
  const name = safely(() => (item as Partial<FillItem> | null | undefined)?.name, undefined);
  return typeof name === 'string' ? `item ${index} ('${name}')` : `item ${index}`;
}

/** The same error, in the name of its item. Never throws: nobody would be there to catch it. */
export function named(index: number, item: unknown, error: unknown): Error {
  const isOf = (kind: new () => Error): boolean => safely(() => error instanceof kind, false);
  const said = safely(
    () => (isOf(Error) ? String((error as Error).message) : String(error)),
    'an error that cannot be read',
  );
  const Kind = [TypeError, RangeError].find(isOf) ?? Error;
  // Its initializer was resolved on the way, which nobody called, and of the list it is said already.
  return new Kind(`fill: ${label(index, item)}: ${said.replace(/^(resolve|fill): /, '')}`, { cause: error });
}
