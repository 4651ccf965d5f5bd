/** The element types nninit fills, by PyTorch's names. */
export type Dtype = 'float32' | 'float64' | 'float16' | 'bfloat16';

/** What holds a tensor's elements. float16 and bfloat16 live in a Uint16Array (or a Float16Array where the runtime has one). */
export type TensorData = Float32Array | Float64Array | Uint16Array;

/** What there is to know of an element type. */
export interface DtypeInfo {
  readonly name: Dtype;
  /** Bytes an element. */
  readonly bytes: number;
  /** The number by which the native side knows it. */
  readonly code: number;
  /** Largest finite value. */
  readonly max: number;
  /** Bits of precision, the hidden one included. */
  readonly precision: number;
  /** The exponent e of the least normal value, 2^(e - 1). */
  readonly minExponent: number;
  /** The name in a safetensors header. */
  readonly safetensors: string;
}

/** The table of element types. */
export const dtypes: Readonly<Record<Dtype, DtypeInfo>> = {
  float32: {
    name: 'float32',
    bytes: 4,
    code: 0,
    max: 3.4028234663852886e38,
    precision: 24,
    minExponent: -125,
    safetensors: 'F32',
  },
  float64: {
    name: 'float64',
    bytes: 8,
    code: 1,
    max: Number.MAX_VALUE,
    precision: 53,
    minExponent: -1021,
    safetensors: 'F64',
  },
  float16: { name: 'float16', bytes: 2, code: 2, max: 65504, precision: 11, minExponent: -13, safetensors: 'F16' },
  bfloat16: {
    name: 'bfloat16',
    bytes: 2,
    code: 3,
    max: 3.3895313892515355e38,
    precision: 8,
    minExponent: -125,
    safetensors: 'BF16',
  },
};

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const highWord = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0; // where the exponent is, by the byte order

/** The least value of a dtype that is ≥ x, infinite if there is none; the native RoundUp's twin. */
export function roundUp(x: number, dtype: Dtype): number {
  if (!Number.isFinite(x) || dtype === 'float64') return x;
  const { precision, minExponent, max } = dtypes[dtype];
  double[0] = x;
  const exponent = (((words[highWord] ?? 0) >>> 20) & 0x7ff) - 1022;
  const spacing = 2 ** (Math.max(exponent, minExponent) - precision);
  const up = Math.ceil(x / spacing) * spacing;
  if (up > max) return Number.POSITIVE_INFINITY;
  return Math.max(up, -max);
}

/** The typed array of a dtype over `length` elements of given memory. */
export function viewOf(dtype: Dtype, memory: ArrayBufferLike, byteOffset: number, length: number): TensorData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(memory, byteOffset, length);
    case 'float64':
      return new Float64Array(memory, byteOffset, length);
    case 'float16':
    case 'bfloat16':
      return new Uint16Array(memory, byteOffset, length);
  }
}
