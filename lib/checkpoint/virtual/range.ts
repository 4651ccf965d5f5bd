import { isWhole } from '../../core/fill.js';
import type { Key } from '../../native/addon.js';
import { drawnFor, type Keys } from '../../plan/keys.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { type FilledTensor, fillPart, unitOf } from './fill-part.js';

/** A tensor with its place in the data of a file. */
export type PlacedTensor = ResolvedTensor & { readonly offset: number };

/** The tensors of a file in its order: an array, or what finds them when they are asked for. */
export interface TensorList {
  readonly length: number;
  at(index: number): KeyedTensor | undefined;
}

/** What the bytes of a tensor depend on, and its place: plain data, which goes to workers. */
export type KeyedTensor = FilledTensor & { readonly name: string; readonly offset: number; readonly key: Key };

/** A tensor, or what it joins, with what the values depend on besides its fill, and without all that a plan may say of it otherwise. */
export function keyed(placed: PlacedTensor, keys: Keys): KeyedTensor[] {
  return drawnFor(placed, keys).map((tensor) => {
    const { name, dtype, shape, slice, fill, elements, bytes, zeroRow, codes, steps, norms, offset } = tensor;
    const key = keys.of(tensor);
    return { name, dtype, shape, slice, fill, elements, bytes, zeroRow, codes, steps, norms, offset, key };
  });
}

/** Bytes [begin, end) of a tensor, which stand `at` bytes into a range. */
export interface Part {
  readonly tensor: KeyedTensor;
  readonly begin: number;
  readonly end: number;
  readonly at: number;
  /** All bytes of a tensor that was made whole, where that was done already. */
  readonly made?: Uint8Array | undefined;
}

/**
 * The parts of tensors that bytes [begin, end) of a file's data hold; tensors in the order of the file, without holes.
 *
 * @param most so many parts at most, the first ones
 */
export function partsOf(tensors: TensorList, begin: number, end: number, most = Number.POSITIVE_INFINITY): Part[] {
  const parts: Part[] = [];
  for (let i = firstBeyond(tensors, begin); i < tensors.length; i++) {
    const tensor = tensors.at(i) as KeyedTensor;
    if (tensor.offset >= end || parts.length >= most) break;
    if (tensor.bytes === 0) continue;
    const from = Math.max(begin, tensor.offset);
    const to = Math.min(end, tensor.offset + tensor.bytes);
    parts.push({ tensor, begin: from - tensor.offset, end: to - tensor.offset, at: from - begin });
  }
  return parts;
}

/** The index of the first tensor that ends beyond a position. */
function firstBeyond(tensors: TensorList, position: number): number {
  let low = 0;
  let high = tensors.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { offset, bytes } = tensors.at(middle) as KeyedTensor;
    if (offset + bytes <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Where a range becomes bytes: fills `out` with bytes [skip, skip + out.length) of a range that parts make up. Whatever writes, streams or
 * verifies comes here.
 *
 * @param parts of a longer range perhaps; those outside are passed over
 * @param threads native threads; 0 for the number that set_num_threads set
 * @param cancel when another thread makes it non-zero, filling stops
 * @returns false if it was cancelled
 */
export function makeBytes(
  parts: readonly Part[],
  out: Uint8Array,
  skip: number,
  threads: number,
  cancel?: Int32Array,
): boolean {
  const limit = skip + out.length;
  for (const { tensor, begin, end, at, made } of parts) {
    const from = Math.max(at, skip);
    const to = Math.min(at + end - begin, limit);
    if (from >= to) continue;
    const bytes = out.subarray(from - skip, to - skip);
    const first = begin + from - at;
    if (made !== undefined) bytes.set(made.subarray(first, first + bytes.length));
    else if (!fillBytes(tensor, bytes, first, threads, cancel)) return false;
  }
  return true;
}

/** Fills bytes [first, first + bytes.length) of a tensor: directly where they are whole units in their place, else by way of some that are. */
function fillBytes(
  tensor: KeyedTensor,
  bytes: Uint8Array,
  first: number,
  threads: number,
  cancel: Int32Array | undefined,
): boolean {
  const size = unitOf(tensor);
  const begin = Math.floor(first / size);
  if (first === begin * size && bytes.length % size === 0 && bytes.byteOffset % size === 0) {
    return fillPart(tensor, bytes, begin, tensor.key, threads, cancel);
  }
  const end = Math.ceil((first + bytes.length) / size);
  const around = new Uint8Array((end - begin) * size);
  if (!fillPart(tensor, around, begin, tensor.key, threads, cancel)) return false;
  bytes.set(around.subarray(first - begin * size, first - begin * size + bytes.length));
  return true;
}

/** Tensors that are made whole are kept for the ranges that follow, unless making them again costs next to nothing. */
export function isWorthKeeping({ fill, bytes }: FilledTensor): boolean {
  return isWhole(fill) && bytes > leastKept;
}

const leastKept = 16 << 10;
