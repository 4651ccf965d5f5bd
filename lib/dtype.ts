/** The element types nninit fills, by PyTorch's names. */
export type Dtype = 'float32' | 'float64' | 'float16' | 'bfloat16';

/** What holds a tensor's elements. float16 and bfloat16 live in a Uint16Array (or a Float16Array where the runtime has one). */
export type TensorData = Float32Array | Float64Array | Uint16Array;

export interface DtypeInfo {
  readonly name: Dtype;
  /** Bytes an element. */
  readonly bytes: number;
  /** The number by which the native side knows it. */
  readonly code: number;
  /** Largest finite value. */
  readonly max: number;
  /** The name in a safetensors header. */
  readonly safetensors: string;
}

export const dtypes: Readonly<Record<Dtype, DtypeInfo>> = {
  float32: { name: 'float32', bytes: 4, code: 0, max: 3.4028234663852886e38, safetensors: 'F32' },
  float64: { name: 'float64', bytes: 8, code: 1, max: Number.MAX_VALUE, safetensors: 'F64' },
  float16: { name: 'float16', bytes: 2, code: 2, max: 65504, safetensors: 'F16' },
  bfloat16: { name: 'bfloat16', bytes: 2, code: 3, max: 3.3895313892515355e38, safetensors: 'BF16' },
};
