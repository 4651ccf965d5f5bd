import { dtypes, view_of } from '../../core/dtype.js';
import { is_whole } from '../../core/fill.js';
import { is_fillable } from '../../core/stored-dtype.js';
import { run_fill_of_slice } from '../../init/fill-slice.js';
import { type Key, run_fill } from '../../native/addon.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { clear_zero_row } from './zero-row.js';

/**
 * Fills elements [begin, begin + bytes.length / element size) of what is to be written of a tensor: of its slice, if it has one.
 *
 * Orthogonal and sparse tensors are made whole beside it if anything less than the whole is asked for.
 *
 * @param bytes whole elements; must begin at a multiple of the element size in its buffer (8 always is one)
 * @param key the tensor's, from Keys
 * @param threads native threads; 0 for the number that set_num_threads set
 */
export function fill_part(tensor: ResolvedTensor, bytes: Uint8Array, begin: number, key: Key, threads: number): void {
  if (bytes.length === 0) return;
  const { dtype, fill, slice, shape, elements } = tensor;
  if (!is_fillable(dtype)) {
    // Integers, booleans and floats of 8 bits and less are always zeros here.
    bytes.fill(0);
    return;
  }
  const size = dtypes[dtype].bytes;
  const count = bytes.length / size;
  const view = view_of(dtype, bytes.buffer, bytes.byteOffset, count);
  if (slice !== undefined || (is_whole(fill) && count !== elements)) {
    run_fill_of_slice(view, dtype, fill, key, slice ?? { shape, ranges: [] }, begin, threads);
  } else {
    run_fill(view, dtype, fill, key, begin, threads);
  }
  clear_zero_row(tensor, bytes, begin, size);
}
