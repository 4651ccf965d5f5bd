import { checkInteger, checkOneOf, isPlainObject, rangeError, typeError } from '../core/check.js';
import type { Dtype, TensorData } from '../core/dtype.js';
import { type Fill, fillNumbers, isWhole, kindCodes } from '../core/fill.js';
import { isTorchKey, type Key, maxThreads, noKey, type PhiloxKey, type TorchKey } from '../native/addon.js';
import { type CheckedNarrow, checkNarrow, isNarrow, type NarrowDtype, type NarrowTensor } from '../tensor/narrow.js';
import { bytesEach, isNarrowTarget, type Target } from '../tensor/target.js';
import { asTensor } from '../tensor/tensor.js';
import { checkNarrowFill } from './check-narrow-fill.js';
import { fillTarget } from './fill-target.js';

const kinds = Object.keys(kindCodes) as Fill['kind'][];

/** A range of a fill, checked and copied: what a caller changes later does not matter. */
export interface CheckedRange {
  readonly tensor: Target;
  readonly fill: Fill;
  readonly key: Key;
  readonly begin: number;
}

/**
 * Checks the arguments of runFill. What numbers make a fill is checked by the kernels.
 *
 * @throws TypeError and RangeError, in the name of `fn`
 */
export function checkRange(
  fn: string,
  data: unknown,
  dtype: unknown,
  fill: unknown,
  key: unknown,
  begin: unknown,
): CheckedRange {
  const tensor = isNarrow(dtype)
    ? checkNarrow(fn, data, dtype)
    : asTensor(fn, { data, shape: [lengthOf(data)], dtype });
  const range = {
    tensor,
    fill: checkFill(fn, fill),
    key: checkKey(fn, key),
    begin: checkInteger(fn, 'begin', begin, 0, Number.MAX_SAFE_INTEGER - tensor.size),
  };
  if (isNarrowTarget(tensor)) checkNarrowRange(fn, tensor, range);
  if (isWhole(range.fill) && range.begin !== 0) {
    throw rangeError(fn, 'begin', '0', begin, `an ${range.fill.kind} fill cannot be cut`);
  }
  return range;
}

function checkNarrowRange(fn: string, tensor: CheckedNarrow, { fill, begin }: CheckedRange): void {
  checkNarrowFill(fn, fill, tensor);
  if (Number.isInteger(begin * bytesEach(tensor.dtype))) return;
  throw rangeError(fn, 'begin', `an even number (dtype ${tensor.dtype})`, begin);
}

function lengthOf(data: unknown): number {
  const length = (data as { length?: unknown } | null | undefined)?.length;
  return typeof length === 'number' ? length : 0;
}

function checkFill(fn: string, fill: unknown): Fill {
  if (!isPlainObject(fill)) throw typeError(fn, 'fill', 'a plain object that resolve gave', fill);
  const kind = checkOneOf(fn, 'fill.kind', fill.kind, kinds);
  const copy: Record<string, unknown> = { kind };
  for (const name of fillNumbers[kind]) {
    const value = fill[name];
    if (typeof value !== 'number') throw typeError(fn, `fill.${name}`, 'a number', value);
    copy[name] = value;
  }
  return copy as unknown as Fill;
}

function checkKey(fn: string, key: unknown): Key {
  if (typeof key !== 'object' || key === null) throw typeError(fn, 'key', 'an object with seed and stream', key);
  if (isTorchKey(key as Key)) return checkTorchKey(fn, key as Record<keyof TorchKey, unknown>);
  const { seed, stream } = key as Partial<Record<keyof PhiloxKey, unknown>>;
  return { seed: checkWord(fn, 'key.seed', seed), stream: checkWord(fn, 'key.stream', stream) };
}

function checkTorchKey(fn: string, { state, total, offset }: Record<keyof TorchKey, unknown>): TorchKey {
  if (!(state instanceof Uint8Array)) throw typeError(fn, 'key.state', 'a Uint8Array of 5,056 bytes', state);
  const whole = (name: string, value: unknown): number => checkInteger(fn, name, value, 0, Number.MAX_SAFE_INTEGER);
  const key = { state: state.slice(), total: whole('key.total', total) };
  return offset === undefined ? key : { ...key, offset: whole('key.offset', offset) };
}

function checkWord(fn: string, argument: string, value: unknown): bigint {
  const what = 'a bigint in [0, 2^64)';
  if (typeof value !== 'bigint') throw typeError(fn, argument, what, value);
  if (BigInt.asUintN(64, value) !== value) throw rangeError(fn, argument, what, value);
  return value;
}

/**
 * Writes elements [begin, begin + data.length) of a fill into `data`, on this thread and its native helpers: a chunk of a
 * tensor that never is in memory as a whole.
 *
 *     const fill = resolve('normal', [2 ** 40]);
 *     runFill(chunk, 'float32', fill, { seed: 7n, stream: 0n }, 2 ** 39);
 *
 * @param data the memory of the chunk, as `dtype` asks: Float32Array, Float64Array or Uint16Array; of narrow dtypes Uint8Array, or
 *   Int8Array for int8
 * @param dtype of the tensor
 * @param fill what resolve gave
 * @param key a generator's `nextKey(fill, dtype, elements)`, the same for all chunks of a tensor; of narrow dtypes that for float32,
 *   in which their values are drawn. Fills that are not random ignore it
 * @param begin index of the first element within the fill; 0 for orthogonal and sparse ones, which cannot be cut
 * @param threads native threads, up to 1024; 0, the default, for the number that set_num_threads set
 * @param cancel one element in shared memory: when another thread makes it non-zero, the fill stops within a millisecond
 * @returns true, or false if the fill was cancelled and `data` is partly written
 * @throws TypeError and RangeError before the first byte is written
 */
export function runFill(
  data: TensorData | NarrowTensor['data'],
  dtype: Dtype | NarrowDtype,
  fill: Fill,
  key: Key = noKey,
  begin = 0,
  threads = 0,
  cancel?: Int32Array,
): boolean {
  const fn = 'runFill';
  const range = checkRange(fn, data, dtype, fill, key, begin);
  checkInteger(fn, 'threads', threads, 0, maxThreads);
  return fillTarget(range.tensor, range.fill, range.key, threads, range.begin, cancel);
}
