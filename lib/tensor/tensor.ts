import {
  checkBoolean,
  checkDtype,
  checkOptions,
  checkShape,
  rangeError,
  typedArrayName,
  typeError,
} from '../core/check.js';
import { type Dtype, dtypes, type TensorData, viewOf } from '../core/dtype.js';

/** Numbers with a shape, in C order, over memory that someone else may own. */
export interface Tensor<Data extends TensorData = TensorData> {
  /** Float32Array, Float64Array, or Uint16Array with the bits of float16 or bfloat16. */
  readonly data: Data;
  /** Sizes, outermost first; [] is one number. */
  readonly shape: readonly number[];
  readonly dtype: Dtype;
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

const classes: Readonly<Record<Dtype, string>> = {
  float32: 'Float32Array',
  float64: 'Float64Array',
  float16: 'Uint16Array',
  bfloat16: 'Uint16Array',
};

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
 * @param options.dtype 'float32' (default), 'float64', 'float16' or 'bfloat16'
 * @param options.shared on a SharedArrayBuffer, which worker threads see without a copy; false by default
 * @throws RangeError where Node.js cannot make an array of that size
 */
export function empty<D extends Dtype = 'float32'>(
  shape: readonly number[],
  options?: { readonly dtype?: D | undefined; readonly shared?: boolean | undefined },
): Tensor<DataOf<D>>;
export function empty(
  shape: readonly number[],
  options?: { readonly dtype?: Dtype | undefined; readonly shared?: boolean | undefined },
): Tensor {
  const fn = 'empty';
  const elements = checkShape(fn, shape);
  const { dtype: name = 'float32', shared = false } = checkOptions(fn, options, ['dtype', 'shared']);
  const dtype = checkDtype(fn, name);
  const bytes = elements * dtypes[dtype].bytes;
  const onShared = checkBoolean(fn, 'shared', shared);
  try {
    const buffer = onShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    return { data: viewOf(dtype, buffer, 0, elements), shape: [...shape], dtype };
  } catch (cause) {
    const why = `${bytes} bytes: ${cause instanceof Error ? cause.message : String(cause)}`;
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
export function tensor<Data extends TensorData>(
  data: Data,
  shape?: readonly number[],
  options?: { readonly dtype?: Dtype | undefined },
): Tensor<Data>;
export function tensor(
  data: Float16ArrayLike,
  shape?: readonly number[],
  options?: { readonly dtype?: 'float16' | undefined },
): Tensor<Uint16Array>;
export function tensor(
  data: TensorData | Float16ArrayLike,
  shape?: readonly number[],
  options?: { readonly dtype?: Dtype | undefined },
): Tensor {
  const { dtype } = checkOptions('tensor', options, ['dtype']);
  const checked = checkedData('tensor', data, dtype);
  if (shape !== undefined) checkLength('tensor', checked.data, shape);
  return { ...checked, shape: shape === undefined ? [checked.data.length] : [...shape] };
}

/** A tensor whose shape and data agree, at the time of the check. */
export interface CheckedTensor extends Tensor {
  /** The number of elements. */
  readonly size: number;
}

/**
 * Reads whatever is shaped like a tensor, and checks it. Buffers can be detached or shrink between calls, so every
 * function does this anew.
 *
 * @throws TypeError and RangeError, in the name of `fn`
 */
export function asTensor(fn: string, value: unknown): CheckedTensor {
  const what = 'an object with data, shape (or dims) and dtype (or type)';
  if (typeof value !== 'object' || value === null) throw typeError(fn, 'tensor', what, value);
  if (Array.isArray(value) || typedArrayName(value) !== undefined) {
    throw typeError(fn, 'tensor', what, value, 'tensor(data, shape) makes one');
  }
  const like = value as { shape?: unknown; dims?: unknown; dtype?: unknown; type?: unknown };
  const shape = like.shape ?? like.dims;
  if (shape === undefined) throw typeError(fn, 'tensor', what, value, 'it has neither shape nor dims');
  const { data, dtype } = checkedData(fn, readData(fn, value), like.dtype ?? like.type);
  const size = checkLength(fn, data, shape);
  return { data, shape: shape as readonly number[], dtype, size };
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
    if (name !== undefined) checkDtype(fn, name); // names an int32 tensor's dtype rather than its array
    throw typeError(fn, 'data', what, data);
  }
  if (name === undefined && known === undefined) {
    const why = 'a Uint16Array may hold either';
    throw typeError(fn, 'dtype', "'float16' or 'bfloat16'", undefined, why);
  }
  const dtype = name === undefined ? (known as Dtype) : checkDtype(fn, name);
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
  return typeof data === 'function' ? 'call it, and wrap what it returns with tensor(data, shape)' : undefined;
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
  const what = `${size} element${size === 1 ? '' : 's'} (shape [${(shape as readonly number[]).join(', ')}])`;
  throw rangeError(fn, 'data', what, data, whyShorter(data, buffer));
}

function whyShorter(data: TensorData, buffer: Buffer): string | undefined {
  if (buffer.resizable === true) return 'its resizable buffer may have shrunk';
  // Node 20 has no `detached`.
  return data.length === 0 && buffer.byteLength === 0 ? 'its buffer may have been detached' : undefined;
}
