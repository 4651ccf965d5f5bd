import { type Dtype, dtypes } from '../dtype.js';

/** An element type that a safetensors file can hold, by PyTorch's names. Those that are no Dtype can only be zeros here. */
export type StoredDtype =
  | Dtype
  | 'bool'
  | 'uint8'
  | 'int8'
  | 'float8_e5m2'
  | 'float8_e4m3fn'
  | 'float8_e8m0fnu'
  | 'float8_e4m3fnuz'
  | 'float8_e5m2fnuz'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'complex64'
  | 'int64'
  | 'uint64';

/** How a safetensors file holds an element type. */
export interface StoredInfo {
  /** The name in the header. */
  readonly tag: string;
  /** Bytes an element. */
  readonly bytes: number;
}

/**
 * Everything a file can hold in whole bytes, in the order of the reference's enumeration: its writer puts the last first, which
 * aligns each tensor to its element size. (F4 and F6, of less than a byte, are left out.)
 *
 * https://github.com/huggingface/safetensors, `safetensors/src/tensor.rs`, `enum Dtype`
 */
export const stored_dtypes: Readonly<Record<StoredDtype, StoredInfo>> = {
  bool: { tag: 'BOOL', bytes: 1 },
  uint8: { tag: 'U8', bytes: 1 },
  int8: { tag: 'I8', bytes: 1 },
  float8_e5m2: { tag: 'F8_E5M2', bytes: 1 },
  float8_e4m3fn: { tag: 'F8_E4M3', bytes: 1 },
  float8_e8m0fnu: { tag: 'F8_E8M0', bytes: 1 },
  float8_e4m3fnuz: { tag: 'F8_E4M3FNUZ', bytes: 1 },
  float8_e5m2fnuz: { tag: 'F8_E5M2FNUZ', bytes: 1 },
  int16: { tag: 'I16', bytes: 2 },
  uint16: { tag: 'U16', bytes: 2 },
  float16: { tag: 'F16', bytes: 2 },
  bfloat16: { tag: 'BF16', bytes: 2 },
  int32: { tag: 'I32', bytes: 4 },
  uint32: { tag: 'U32', bytes: 4 },
  float32: { tag: 'F32', bytes: 4 },
  complex64: { tag: 'C64', bytes: 8 },
  float64: { tag: 'F64', bytes: 8 },
  int64: { tag: 'I64', bytes: 8 },
  uint64: { tag: 'U64', bytes: 8 },
};

/** All names, in the table's order. */
export const stored_names = Object.keys(stored_dtypes) as readonly StoredDtype[];

/** The place of each in the reference's enumeration; its writer sorts by it, descending. */
export const stored_order: ReadonlyMap<StoredDtype, number> = new Map(stored_names.map((name, at) => [name, at]));

const by_tag: ReadonlyMap<string, StoredDtype> = new Map(stored_names.map((name) => [stored_dtypes[name].tag, name]));

/** The element type that a header calls `tag`; undefined for those of less than a byte, and unknown ones. */
export function stored_of_tag(tag: string): StoredDtype | undefined {
  return by_tag.get(tag);
}

/** True for the types that can hold random values; the others can only be zeros. */
export function is_fillable(dtype: StoredDtype): dtype is Dtype {
  return Object.hasOwn(dtypes, dtype);
}
