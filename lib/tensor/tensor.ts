import {
  checkBoolean,
  checkOneOf,
  checkOptions,
  checkShape,
  rangeError,
  typedArrayName,
  typeError,
} from '../core/check.js';
import { type Dtype, dtypes, type TensorData, viewOf } from '../core/dtype.js';
import { errorCode } from '../core/errors.js';
import { shapeText } from '../core/text.js';
import {
  checkNarrow,
  isNarrow,
  type NarrowDtype,
  type NarrowTensor,
  narrowBytes,
  narrowDtypes,
  narrowView,
} from './narrow.js';
import { stridedRange } from './strides.js';

/**
 * Numbers with a shape, in C order, over memory that someone else may own: `Tensor<Float32Array>`, or, where the array does not tell,
 * `Tensor<Uint16Array, 'bfloat16'>`.
 */
export interface Tensor<Data extends TensorData = TensorData, D extends Dtype = DtypeOf<Data>> {
  /** Float32Array, Float64Array, or Uint16Array with the bits of float16 or bfloat16. */
  readonly data: Data;
  /** Sizes, outermost first; [] is one number. */
  readonly shape: readonly number[];
  readonly dtype: D;
}

/** A Float16Array, where the runtime has one. */
export interface Float16ArrayLike extends ArrayBufferView {
  readonly [Symbol.toStringTag]: 'Float16Array';
  readonly length: number;
}

/**
 * Whatever nninit takes for a tensor: `shape` or `dims`, and `dtype` or `type`, so that an onnxruntime `Tensor` is one. The
 * dtype may be left out where `data` tells it: not for a Uint16Array, which may hold float16 or bfloat16.
 */
export type TensorLike =
  | {
      readonly data: TensorData | Float16ArrayLike;
      readonly shape: readonly number[];
      readonly dtype?: Dtype | undefined;
    }
  | { readonly data: unknown; readonly dims: readonly number[]; readonly type: string };

/** The array that holds a dtype. */
export type DataOf<D extends Dtype> = D extends 'float32'
  ? Float32Array
  : D extends 'float64'
    ? Float64Array
    : Uint16Array;

/** The tensor of a dtype. */
export type TensorOf<D extends Dtype | NarrowDtype> = D extends NarrowDtype
  ? NarrowTensor<D>
  : D extends Dtype
    ? Tensor<DataOf<D>, D>
    : never;

/** What an array may hold. */
export type DtypeOf<Data> = Data extends Float32Array
  ? 'float32'
  : Data extends Float64Array
    ? 'float64'
    : Data extends Uint16Array
      ? 'float16' | 'bfloat16'
      : 'float16';

const classes: Readonly<Record<Dtype, string>> = {
  float32: 'Float32Array',
  float64: 'Float64Array',
  float16: 'Uint16Array',
  bfloat16: 'Uint16Array',
};

const tensorDtypes = [...(Object.keys(dtypes) as Dtype[]), ...narrowDtypes];

/** The dtype of a tensor of which it is known that it is none of the narrow ones; errors name those too. */
function checkWideDtype(fn: string, value: unknown, hint?: string): Dtype {
  return checkOneOf(fn, 'dtype', value, tensorDtypes, hint) as Dtype;
}

const dtypeByClass: Readonly<Record<string, Dtype>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Float16Array: 'float16',
};

/**
 * A new tensor of zeros (JavaScript has no uninitialized memory; the name is torch.empty's).
 *
 *     const w = empty([4096, 4096], { dtype: 'bfloat16' });
 *
 * @param shape integers ≥ 0, their product below 2^53
 * @param options.dtype 'float32' (default), 'float64', 'float16' or 'bfloat16'; or one of 8 bits and less, whose elements lie in a Uint8Array (an
 *   Int8Array for 'int8'): 'float8_e4m3fn', 'float8_e5m2', 'float8_e8m0fnu', 'float4_e2m1fn' (two a byte), 'int8', 'uint8'
 * @param options.shared on a SharedArrayBuffer, which worker threads see without a copy; false by default
 * @throws RangeError where Node.js cannot make an array of that size
 */
export function empty<D extends Dtype | NarrowDtype = 'float32'>(
  shape: readonly number[],
  options?: { readonly dtype?: D | undefined; readonly shared?: boolean | undefined },
): TensorOf<NoInfer<D>>; // not of where it is used
export function empty(
  shape: readonly number[],
  options?: { readonly dtype?: Dtype | NarrowDtype | undefined; readonly shared?: boolean | undefined },
): Tensor | NarrowTensor {
  checkShape('empty', shape);
  const { dtype, shared = false } = checkOptions('empty', options, ['dtype', 'shared']);
  const Memory = checkBoolean('empty', 'shared', shared) ? SharedArrayBuffer : ArrayBuffer;
  return emptyOn(shape, dtype, (bytes) => new Memory(bytes));
}

/**
 * A new tensor on memory that someone else allocates.
 *
 * @throws as empty does, and what `allocate` throws where that has a code
 */
export function emptyOn(
  shape: readonly number[],
  dtype: unknown,
  allocate: (bytes: number) => ArrayBufferLike,
): Tensor | NarrowTensor {
  const fn = 'empty';
  const elements = checkShape(fn, shape);
  const checked = isNarrow(dtype) ? dtype : dtype === undefined ? 'float32' : checkWideDtype(fn, dtype);
  const bytes = isNarrow(checked) ? narrowBytes(fn, checked, shape) : elements * dtypes[checked].bytes;
  try {
    const memory = allocate(bytes);
    if (isNarrow(checked)) return { data: narrowView(checked, memory), shape: [...shape], dtype: checked };
    return { data: viewOf(checked, memory, 0, elements), shape: [...shape], dtype: checked };
  } catch (cause) {
    // V8's about memory is such a one: others say what is wrong themselves.
    if (!(cause instanceof RangeError) || errorCode(cause) !== undefined) throw cause;
    const why = `${bytes} bytes: ${cause.message}`;
    throw rangeError(fn, 'shape', 'a size that Node.js can allocate', shape, why);
  }
}

/**
 * A tensor on memory that you already have: nothing is copied, and a fill writes into it.
 *
 *     tensor(new Float32Array(12), [3, 4])
 *     tensor(new Uint16Array(64), [8, 8], { dtype: 'bfloat16' })
 *
 * @param data a Float32Array, Float64Array, Uint16Array or Float16Array, on any byteOffset, shared or not
 * @param shape its product must be data.length; [data.length] by default
 * @param options.dtype told by the array's class, but needed for a Uint16Array: 'float16' or 'bfloat16'
 * @throws TypeError for other arrays; RangeError where shape and data disagree, and for a detached buffer
 */
export function tensor<D extends NarrowDtype>(
  data: NarrowTensor<D>['data'],
  shape: readonly number[] | undefined,
  options: { readonly dtype: D },
): NarrowTensor<D>;
export function tensor<Data extends TensorData | Float16ArrayLike, D extends DtypeOf<Data> = DtypeOf<Data>>(
  data: Data,
  shape?: readonly number[],
  options?: { readonly dtype?: D | undefined },
): Tensor<Data extends TensorData ? Data : Uint16Array, D>;
export function tensor(
  data: TensorData | Float16ArrayLike | Uint8Array | Int8Array,
  shape?: readonly number[],
  options?: { readonly dtype?: Dtype | NarrowDtype | undefined },
): Tensor | NarrowTensor {
  const { dtype } = checkOptions('tensor', options, ['dtype']);
  if (isNarrow(dtype)) {
    const narrow = checkNarrow('tensor', data, dtype, shape);
    return { data: data as Uint8Array, shape: [...narrow.shape], dtype };
  }
  const checked = checkedData('tensor', data, dtype);
  if (shape !== undefined) checkLength('tensor', checked.data, shape);
  return { ...checked, shape: shape === undefined ? [checked.data.length] : [...shape] };
}

/** A tensor whose shape and data agree, at the time of the check. */
export interface CheckedTensor extends Tensor {
  /** The number of elements. */
  readonly size: number;
}

/** For each class of integers of two bytes and more: the dtype of its size, and its own. */
const integerClasses = new Map<string | undefined, readonly [like: Dtype, own: string]>([
  ['BigInt64Array', ['float64', 'int64']],
  ['BigUint64Array', ['float64', 'uint64']],
  ['Int32Array', ['float32', 'int32']],
  ['Uint32Array', ['float32', 'uint32']],
  ['Int16Array', ['float16', 'int16']],
  ['Uint16Array', ['float16', 'uint16']],
]);

/** Memory of integers as that of a float of their size: zero has the same bits. */
function asFloats(data: unknown, name: unknown): { readonly data: TensorData; readonly dtype: Dtype } | undefined {
  const found = typedArrayName(data);
  const [dtype, own] = integerClasses.get(found) ?? [];
  if (dtype === undefined || !(name === own || (name === undefined && found !== 'Uint16Array'))) return undefined;
  const { buffer, byteOffset, length } = data as TensorData;
  return { data: viewOf(dtype, buffer, byteOffset, length), dtype };
}

/**
 * Reads whatever is shaped like a tensor, and checks it. Buffers can be detached or shrink between calls, so every
 * function does this anew.
 *
 * @param integers whether those of two bytes and more are taken too, as floats of their size: for who writes zeros
 * @throws TypeError and RangeError, in the name of `fn`
 */
export function asTensor(fn: string, value: unknown, integers = false): CheckedTensor {
  const what = 'an object with data, shape (or dims) and dtype (or type)';
  if (typeof value !== 'object' || value === null) throw typeError(fn, 'tensor', what, value);
  if (Array.isArray(value) || typedArrayName(value) !== undefined) {
    throw typeError(fn, 'tensor', what, value, 'tensor(data, shape) makes one');
  }
  const like = value as Readonly<
    Record<'shape' | 'dims' | 'dtype' | 'type' | 'stride' | 'strides' | 'offset', unknown>
  >;
  const shape = like.shape ?? like.dims;
  if (shape === undefined) throw typeError(fn, 'tensor', what, value, 'it has neither shape nor dims');
  const [given, name] = [readData(fn, value), like.dtype ?? like.type];
  const { data, dtype } = (integers ? asFloats(given, name) : undefined) ?? checkedData(fn, given, name);
  const strides = like.stride ?? like.strides;
  const own =
    strides === undefined ? data : data.subarray(...stridedRange(fn, data.length, shape, strides, like.offset));
  const size = checkLength(fn, own, shape);
  return { data: own, shape: shape as readonly number[], dtype, size };
}

/** The getter of onnxruntime's tensors throws where the data is on a GPU. */
function readData(fn: string, value: object): unknown {
  try {
    return (value as { data?: unknown }).data;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw typeError(fn, 'data', 'memory of this process', undefined, why);
  }
}

function checkedData(fn: string, data: unknown, name: unknown): { readonly data: TensorData; readonly dtype: Dtype } {
  const what = 'a Float32Array, Float64Array or, with a dtype of float16 or bfloat16, Uint16Array';
  const found = typedArrayName(data);
  if (found === undefined) throw typeError(fn, 'data', what, data, helpFor(data));
  const known = dtypeByClass[found];
  if (known === undefined && found !== 'Uint16Array') {
    const why = aboutIntegers(found, name);
    if (name !== undefined) checkWideDtype(fn, name, why); // names an int32 tensor's dtype rather than its array
    throw typeError(fn, 'data', what, data, why);
  }
  if (name === undefined && known === undefined) {
    const why = 'a Uint16Array may hold either';
    throw typeError(fn, 'dtype', "'float16' or 'bfloat16'", undefined, why);
  }
  const dtype = name === undefined ? (known as Dtype) : checkWideDtype(fn, name);
  if (found === 'Float16Array' && dtype === 'float16') {
    const { buffer, byteOffset, length } = data as Uint16Array;
    return { data: new Uint16Array(buffer, byteOffset, length), dtype };
  }
  if (classes[dtype] !== found) throw typeError(fn, 'data', `a ${classes[dtype]} (dtype ${dtype})`, data);
  return { data: data as TensorData, dtype };
}

function helpFor(data: unknown): string | undefined {
  if (Array.isArray(data)) return 'Float32Array.from(data) makes one';
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return 'wrap it: new Float32Array(buffer)';
  if (data instanceof DataView) return 'wrap its buffer: new Float32Array(view.buffer, view.byteOffset, length)';
  return typeof data === 'function' // tf.js
    ? 'it is a method, as in TensorFlow.js: fill tensor(t.dataSync(), t.shape) or tensor(await t.data(), t.shape)'
    : undefined;
}

/** What helps where an array of integers was given, and the name of a dtype or none. */
function aboutIntegers(array: string, name: unknown): string | undefined {
  if (array === 'Int8Array' || array === 'Uint8Array') {
    const own = array === 'Int8Array' ? 'int8' : 'uint8';
    return name === undefined ? `its dtype is not told by the array: { dtype: '${own}' }, say` : undefined;
  }
  if (!/^(Big)?(Ui|I)nt\d+(Clamped)?Array$/.test(array)) return undefined;
  return `integers are not filled; data.fill(${array.startsWith('Big') ? '0n' : '0'}) sets them`;
}

type Buffer = ArrayBufferLike & {
  readonly detached?: boolean;
  readonly resizable?: boolean;
  readonly growable?: boolean;
};

/** Checks that the shape's product is the data's length, and that the memory is there; returns that length. */
function checkLength(fn: string, data: TensorData, shape: unknown): number {
  const size = checkShape(fn, shape);
  if (size === data.length && size !== 0) return size;
  const buffer = data.buffer as Buffer;
  if (buffer.detached === true) throw rangeError(fn, 'data', 'memory that is still there', data, 'it was detached');
  if (size === data.length) return size;
  const what = `${size} element${size === 1 ? '' : 's'} (shape ${shapeText(shape as readonly number[])})`;
  throw rangeError(fn, 'data', what, data, whyOther(data, size, buffer));
}

function whyOther(data: TensorData, size: number, buffer: Buffer): string | undefined {
  const isLonger = data.length > size;
  if (buffer.resizable === true) return `its resizable buffer may have ${isLonger ? 'grown' : 'shrunk'}`;
  if (buffer.growable === true && isLonger) return 'its growable buffer may have grown';
  // Node 20 has no `detached`.
  return data.length === 0 && buffer.byteLength === 0 ? 'its buffer may have been detached' : undefined;
}
