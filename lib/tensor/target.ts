import { type Dtype, dtypes } from '../core/dtype.js';
import { grids } from '../core/grid.js';
import { asNarrow, type CheckedNarrow, isNarrow, type NarrowDtype } from './narrow.js';
import { checkUnreleased } from './released.js';
import { asTensor, type CheckedTensor } from './tensor.js';

/** What a fill writes to: a tensor, or one of 8 bits and less. */
export type Target = CheckedTensor | CheckedNarrow;

/** Reads whatever is shaped like either, and checks it, as asTensor does; refuses one whose memory was released. */
export function asTarget(fn: string, value: unknown, integers = false): Target {
  const target = asNarrow(fn, value) ?? asTensor(fn, value, integers);
  checkUnreleased(fn, target.data);
  return target;
}

/** Whether a target is of 8 bits or less. */
export function isNarrowTarget(target: Target): target is CheckedNarrow {
  return isNarrow(target.dtype);
}

/** Bytes of an element; a half where two share one. */
export function bytesEach(dtype: Dtype | NarrowDtype): number {
  return isNarrow(dtype) ? grids[dtype].bits / 8 : dtypes[dtype].bytes;
}

/** The dtype that values are drawn in. */
export function drawnIn(dtype: Dtype | NarrowDtype): Dtype {
  return isNarrow(dtype) ? 'float32' : dtype;
}

/** The bytes of any typed array. */
export function bytesOf({ buffer, byteOffset, byteLength }: Target['data']): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
