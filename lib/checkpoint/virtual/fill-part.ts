import { dtypes, viewOf } from '../../core/dtype.js';
import { isWhole } from '../../core/fill.js';
import { isFillable } from '../../core/stored-dtype.js';
import { runFillOfSlice } from '../../init/fill-slice.js';
import { fillRange, type Key } from '../../native/addon.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { clearZeroRow } from './zero-row.js';

/**
 * Fills elements [begin, begin + bytes.length / element size) of what is to be written of a tensor: of its slice, if it has one.
 *
 * Orthogonal and sparse tensors are made whole beside it if anything less than the whole is asked for.
 *
 * @param bytes whole elements; must begin at a multiple of the element size in its buffer (8 always is one)
 * @param key the tensor's, from Keys
 * @param threads native threads; 0 for the number that set_num_threads set
 * @param cancel when another thread makes it non-zero, filling stops
 * @returns false if it was cancelled
 */
export function fillPart(
  tensor: ResolvedTensor,
  bytes: Uint8Array,
  begin: number,
  key: Key,
  threads: number,
  cancel?: Int32Array,
): boolean {
  if (bytes.length === 0) return true;
  const { dtype, fill, slice, shape, elements } = tensor;
  if (!isFillable(dtype)) {
    // Integers, booleans and floats of 8 bits and less are always zeros here.
    bytes.fill(0);
    return true;
  }
  const size = dtypes[dtype].bytes;
  const count = bytes.length / size;
  const view = viewOf(dtype, bytes.buffer, bytes.byteOffset, count);
  const filled =
    slice !== undefined || (isWhole(fill) && count !== elements)
      ? runFillOfSlice(view, dtype, fill, key, slice ?? { shape, ranges: [] }, begin, threads, cancel)
      : fillRange(view, dtype, fill, key, begin, threads, cancel);
  clearZeroRow(tensor, bytes, begin, size);
  return filled;
}
