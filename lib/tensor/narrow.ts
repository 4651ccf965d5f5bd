import { checkShape, rangeError, typedArrayName, typeError } from '../core/check.js';
import { type Grid, grids } from '../core/grid.js';
import { shapeText } from '../core/text.js';
import { stridedRange } from './strides.js';

/** Element types of 8 bits and less that tensors may have, by PyTorch's names. Two elements of float4_e2m1fn share a byte. */
export type NarrowDtype = Exclude<Grid, 'int4' | 'uint4'>;

/** A tensor of codes: a Uint8Array with the bytes as they are stored, or an Int8Array for int8. */
export interface NarrowTensor<D extends NarrowDtype = NarrowDtype> {
  readonly data: D extends 'int8' ? Int8Array : Uint8Array;
  /** Sizes, outermost first; of float4_e2m1fn, an even number of elements in all. */
  readonly shape: readonly number[];
  readonly dtype: D;
}

/** A narrow tensor whose shape and data agree, at the time of the check. */
export interface CheckedNarrow {
  /** The array that was given. */
  readonly data: Uint8Array | Int8Array;
  readonly shape: readonly number[];
  readonly dtype: NarrowDtype;
  /** The number of elements. */
  readonly size: number;
}

/** The names of these types. */
export const narrowDtypes = (Object.keys(grids) as Grid[]).filter(
  (grid): grid is NarrowDtype => grid !== 'int4' && grid !== 'uint4',
);

const narrow: ReadonlySet<unknown> = new Set(narrowDtypes);

/** Whether a dtype is one of 8 bits or less that a tensor may have. Every call of an initializer asks some times: the usual dtype is told first. */
export function isNarrow(dtype: unknown): dtype is NarrowDtype {
  return dtype !== 'float32' && narrow.has(dtype);
}

/** Elements that a byte holds. */
const perByte = (dtype: NarrowDtype): number => 8 / grids[dtype].bits;

/** The bytes that a narrow tensor takes. */
export function narrowBytes(fn: string, dtype: NarrowDtype, shape: unknown): number {
  const bytes = checkShape(fn, shape) / perByte(dtype);
  if (Number.isInteger(bytes)) return bytes;
  throw rangeError(fn, 'shape', `an even number of elements in all (dtype ${dtype})`, shape);
}

/** The typed array of a narrow dtype over memory. */
export function narrowView(
  dtype: NarrowDtype,
  memory: ArrayBufferLike,
  begin = 0,
  length?: number,
): Uint8Array | Int8Array {
  return dtype === 'int8' ? new Int8Array(memory, begin, length) : new Uint8Array(memory, begin, length);
}

function checkNarrowData(fn: string, data: unknown, dtype: NarrowDtype): Uint8Array | Int8Array {
  const what = dtype === 'int8' ? 'an Int8Array' : 'a Uint8Array';
  if (typedArrayName(data) !== what.split(' ')[1]) throw typeError(fn, 'data', `${what} (dtype ${dtype})`, data);
  return data as Uint8Array | Int8Array;
}

/**
 * Checks a narrow tensor's parts.
 *
 * @param shape all elements in one dimension by default
 * @throws TypeError and RangeError, in the name of `fn`
 */
export function checkNarrow(fn: string, data: unknown, dtype: NarrowDtype, shape?: unknown): CheckedNarrow {
  const array = checkNarrowData(fn, data, dtype);
  const { byteLength } = array;
  const used = shape === undefined ? [byteLength * perByte(dtype)] : shape;
  const length = narrowBytes(fn, dtype, used);
  if (length !== byteLength)
    throw rangeError(fn, 'data', `${length} bytes (shape ${shapeText(used as number[])})`, data);
  return { data: array, shape: used as readonly number[], dtype, size: length * perByte(dtype) };
}

/** Reads whatever is shaped like a narrow tensor, and checks it; undefined if it is of another dtype. */
export function asNarrow(fn: string, value: unknown): CheckedNarrow | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const like = value as Readonly<
    Record<'data' | 'shape' | 'dims' | 'dtype' | 'type' | 'stride' | 'strides' | 'offset', unknown>
  >;
  const name = like.dtype ?? like.type;
  if (!isNarrow(name)) return undefined;
  const shape = like.shape ?? like.dims;
  const strides = like.stride ?? like.strides;
  if (strides === undefined) return checkNarrow(fn, like.data, name, shape);
  const data = checkNarrowData(fn, like.data, name);
  const each = perByte(name);
  const [begin, end] = stridedRange(fn, data.length * each, shape, strides, like.offset);
  if (begin % each > 0) throw rangeError(fn, 'offset', `an even number (dtype ${name})`, begin);
  return checkNarrow(fn, data.subarray(begin / each, end / each), name, shape);
}
