import { check_threads } from '../bind.js';
import { check_integer, check_one_of, is_plain_object, range_error, type_error } from '../check.js';
import { type Fill, fill_numbers, is_whole, kind_codes } from '../fill.js';
import { is_torch_key, type Key, type PhiloxKey, type TorchKey } from '../native.js';
import { as_tensor } from '../tensor.js';
import type { Order } from './job.js';

const fn = 'run_fill';
const kinds = Object.keys(kind_codes) as Fill['kind'][];

/** Checks the arguments of pool.run_fill. What numbers make a fill is checked by the kernels. */
export function order_of_range(
  data: unknown,
  dtype: unknown,
  fill: unknown,
  key: unknown,
  begin: unknown,
  threads: unknown,
): Order {
  const length = (data as { length?: unknown } | null | undefined)?.length;
  const tensor = as_tensor(fn, { data, shape: [typeof length === 'number' ? length : 0], dtype });
  const order = {
    fn,
    tensor,
    fill: check_fill(fill),
    key: check_key(key),
    begin: check_integer(fn, 'begin', begin, 0, Number.MAX_SAFE_INTEGER - tensor.size),
    threads: threads === undefined ? 0 : check_threads(fn, threads),
  };
  if (is_whole(order.fill) && order.begin !== 0) {
    throw range_error(fn, 'begin', '0', begin, `an ${order.fill.kind} fill cannot be cut`);
  }
  return order;
}

function check_fill(fill: unknown): Fill {
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

function check_key(key: unknown): Key {
  if (typeof key !== 'object' || key === null) throw type_error(fn, 'key', 'an object with seed and stream', key);
  if (is_torch_key(key as Key)) return check_torch_key(key as Record<keyof TorchKey, unknown>);
  const { seed, stream } = key as Partial<Record<keyof PhiloxKey, unknown>>;
  return { seed: check_word('key.seed', seed), stream: check_word('key.stream', stream) };
}

function check_torch_key({ state, total, offset }: Record<keyof TorchKey, unknown>): TorchKey {
  if (!(state instanceof Uint8Array)) throw type_error(fn, 'key.state', 'a Uint8Array of 5,056 bytes', state);
  const whole = (name: string, value: unknown): number => check_integer(fn, name, value, 0, Number.MAX_SAFE_INTEGER);
  const key = { state: state.slice(), total: whole('key.total', total) };
  return offset === undefined ? key : { ...key, offset: whole('key.offset', offset) };
}

function check_word(argument: string, value: unknown): bigint {
  const what = 'a bigint in [0, 2^64)';
  if (typeof value !== 'bigint') throw type_error(fn, argument, what, value);
  if (BigInt.asUintN(64, value) !== value) throw range_error(fn, argument, what, value);
  return value;
}
