import { check_integer, check_one_of, is_plain_object, range_error, type_error } from '../core/check.js';
import type { Dtype, TensorData } from '../core/dtype.js';
import { type Fill, fill_numbers, is_whole, kind_codes } from '../core/fill.js';
import {
  is_torch_key,
  type Key,
  max_threads,
  no_key,
  type PhiloxKey,
  run_fill as run_unchecked,
  type TorchKey,
} from '../native/addon.js';
import { as_tensor, type CheckedTensor } from '../tensor/tensor.js';

const kinds = Object.keys(kind_codes) as Fill['kind'][];

/** A range of a fill, checked and copied: what a caller changes later does not matter. */
export interface CheckedRange {
  readonly tensor: CheckedTensor;
  readonly fill: Fill;
  readonly key: Key;
  readonly begin: number;
}

/**
 * Checks the arguments of run_fill. What numbers make a fill is checked by the kernels.
 *
 * @throws TypeError and RangeError, in the name of `fn`
 */
export function check_range(
  fn: string,
  data: unknown,
  dtype: unknown,
  fill: unknown,
  key: unknown,
  begin: unknown,
): CheckedRange {
  const length = (data as { length?: unknown } | null | undefined)?.length;
  const tensor = as_tensor(fn, { data, shape: [typeof length === 'number' ? length : 0], dtype });
  const range = {
    tensor,
    fill: check_fill(fn, fill),
    key: check_key(fn, key),
    begin: check_integer(fn, 'begin', begin, 0, Number.MAX_SAFE_INTEGER - tensor.size),
  };
  if (is_whole(range.fill) && range.begin !== 0) {
    throw range_error(fn, 'begin', '0', begin, `an ${range.fill.kind} fill cannot be cut`);
  }
  return range;
}

function check_fill(fn: string, fill: unknown): Fill {
  if (!is_plain_object(fill)) throw type_error(fn, 'fill', 'a plain object that resolve gave', fill);
  const kind = check_one_of(fn, 'fill.kind', fill.kind, kinds);
  const copy: Record<string, unknown> = { kind };
  for (const name of fill_numbers[kind]) {
    const value = fill[name];
    if (typeof value !== 'number') throw type_error(fn, `fill.${name}`, 'a number', value);
    copy[name] = value;
  }
  return copy as unknown as Fill;
}

function check_key(fn: string, key: unknown): Key {
  if (typeof key !== 'object' || key === null) throw type_error(fn, 'key', 'an object with seed and stream', key);
  if (is_torch_key(key as Key)) return check_torch_key(fn, key as Record<keyof TorchKey, unknown>);
  const { seed, stream } = key as Partial<Record<keyof PhiloxKey, unknown>>;
  return { seed: check_word(fn, 'key.seed', seed), stream: check_word(fn, 'key.stream', stream) };
}

function check_torch_key(fn: string, { state, total, offset }: Record<keyof TorchKey, unknown>): TorchKey {
  if (!(state instanceof Uint8Array)) throw type_error(fn, 'key.state', 'a Uint8Array of 5,056 bytes', state);
  const whole = (name: string, value: unknown): number => check_integer(fn, name, value, 0, Number.MAX_SAFE_INTEGER);
  const key = { state: state.slice(), total: whole('key.total', total) };
  return offset === undefined ? key : { ...key, offset: whole('key.offset', offset) };
}

function check_word(fn: string, argument: string, value: unknown): bigint {
  const what = 'a bigint in [0, 2^64)';
  if (typeof value !== 'bigint') throw type_error(fn, argument, what, value);
  if (BigInt.asUintN(64, value) !== value) throw range_error(fn, argument, what, value);
  return value;
}

/**
 * Writes elements [begin, begin + data.length) of a fill into `data`, on this thread and its native helpers: a chunk of a
 * tensor that never is in memory as a whole.
 *
 *     const fill = resolve('normal', [2 ** 40]);
 *     run_fill(chunk, 'float32', fill, { seed: 7n, stream: 0n }, 2 ** 39);
 *
 * @param fill what resolve gave
 * @param key a generator's `next_key(fill, dtype, elements)`, the same for all chunks of a tensor; fills that are not random
 *   ignore it
 * @param begin index of data[0] within the fill; 0 for orthogonal and sparse ones, which cannot be cut
 * @param threads native threads, up to 1024; 0, the default, for the number that set_num_threads set
 * @param cancel one element in shared memory: when another thread makes it non-zero, the fill stops within a millisecond
 * @returns true, or false if the fill was cancelled and `data` is partly written
 * @throws TypeError and RangeError before the first byte is written
 */
export function run_fill(
  data: TensorData,
  dtype: Dtype,
  fill: Fill,
  key: Key = no_key,
  begin = 0,
  threads = 0,
  cancel?: Int32Array,
): boolean {
  const fn = 'run_fill';
  const range = check_range(fn, data, dtype, fill, key, begin);
  check_integer(fn, 'threads', threads, 0, max_threads);
  const { tensor } = range;
  return run_unchecked(tensor.data, tensor.dtype, range.fill, range.key, range.begin, threads, cancel);
}
