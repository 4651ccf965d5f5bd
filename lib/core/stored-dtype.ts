import { type Dtype, dtypes } from './dtype.js';

/**
 * An element type that a safetensors file can hold, by PyTorch's names; those of less than a byte, which PyTorch has only in packs or not at
 * all, by ml_dtypes'. Those that are no Dtype can only be zeros here.
 */
export type StoredDtype =
  | Dtype
  | 'bool'
  | 'float4_e2m1fn'
  | 'float6_e2m3fn'
  | 'float6_e3m2fn'
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
  /** Elements that fill whole bytes: 1, or for elements of less than a byte the fewest that do. */
  readonly pack: number;
  /** Bytes of so many elements. */
  readonly bytes: number;
}

const plain = (tag: string, bytes: number): StoredInfo => ({ tag, pack: 1, bytes });

/**
 * Everything a file can hold, in the order of the reference's enumeration: its writer puts the last first, which aligns each tensor to its
 * element size.
 *
 * https://github.com/huggingface/safetensors, `safetensors/src/tensor.rs`, `enum Dtype`
 */
export const storedDtypes: Readonly<Record<StoredDtype, StoredInfo>> = {
  bool: plain('BOOL', 1),
  float4_e2m1fn: { tag: 'F4', pack: 2, bytes: 1 },
  float6_e2m3fn: { tag: 'F6_E2M3', pack: 4, bytes: 3 },
  float6_e3m2fn: { tag: 'F6_E3M2', pack: 4, bytes: 3 },
  uint8: plain('U8', 1),
  int8: plain('I8', 1),
  float8_e5m2: plain('F8_E5M2', 1),
  float8_e4m3fn: plain('F8_E4M3', 1),
  float8_e8m0fnu: plain('F8_E8M0', 1),
  float8_e4m3fnuz: plain('F8_E4M3FNUZ', 1),
  float8_e5m2fnuz: plain('F8_E5M2FNUZ', 1),
  int16: plain('I16', 2),
  uint16: plain('U16', 2),
  float16: plain('F16', 2),
  bfloat16: plain('BF16', 2),
  int32: plain('I32', 4),
  uint32: plain('U32', 4),
  float32: plain('F32', 4),
  complex64: plain('C64', 8),
  float64: plain('F64', 8),
  int64: plain('I64', 8),
  uint64: plain('U64', 8),
};

/** All names, in the table's order. */
export const storedNames = Object.keys(storedDtypes) as readonly StoredDtype[];

/** The place of each in the reference's enumeration; its writer sorts by it, descending. */
export const storedOrder: ReadonlyMap<StoredDtype, number> = new Map(storedNames.map((name, at) => [name, at]));

const byTag: ReadonlyMap<string, StoredDtype> = new Map(storedNames.map((name) => [storedDtypes[name].tag, name]));

/** The element type that a header calls `tag`; undefined for unknown ones. */
export function storedOfTag(tag: string): StoredDtype | undefined {
  return byTag.get(tag);
}

/** Bytes that elements of a type take; no whole number where those of less than a byte do not fill their last one. */
export function storedBytes(dtype: StoredDtype, elements: number): number {
  const { pack, bytes } = storedDtypes[dtype];
  return elements * (bytes / pack);
}

/** Elements of a type that so many bytes hold; whole packs of them. */
export function storedElements(dtype: StoredDtype, length: number): number {
  const { pack, bytes } = storedDtypes[dtype];
  return (length / bytes) * pack;
}

/** True for the types that can hold random values; the others can only be zeros. */
export function isFillable(dtype: StoredDtype): dtype is Dtype {
  return Object.hasOwn(dtypes, dtype);
}
