import { viewOf } from '../../core/dtype.js';
import { isWhole } from '../../core/fill.js';
import { isGrid } from '../../core/grid.js';
import { isFillable, storedDtypes } from '../../core/stored-dtype.js';
import { fillOfCodes } from '../../init/fill-codes.js';
import { runFillOfSlice } from '../../init/run-slice.js';
import { fillRange, type Key } from '../../native/addon.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { fillNorms } from './fill-norms.js';
import { fillSteps } from './fill-steps.js';
import { clearZeroRow } from './zero-row.js';

/** What fillPart needs of a tensor. */
export type FilledTensor = Pick<
  ResolvedTensor,
  'dtype' | 'shape' | 'slice' | 'fill' | 'elements' | 'bytes' | 'zeroRow' | 'codes' | 'steps' | 'norms'
>;

/** Bytes that are made together: of an element, of elements of less than a byte the fewest that fill whole ones, or of a word of codes. */
export function unitOf({ dtype, codes }: Pick<FilledTensor, 'dtype' | 'codes'>): number {
  return codes === undefined || codes.order === 'rows' ? storedDtypes[dtype].bytes : 4;
}

/**
 * Fills units [begin, begin + bytes.length / unit size) of what is to be written of a tensor: of its slice, if it has one.
 *
 * Orthogonal and sparse tensors are made whole beside it if anything less than the whole is asked for.
 *
 * @param bytes whole units, of unitOf's size; must begin at a multiple of it in its buffer (8 always is one)
 * @param key the tensor's, from Keys
 * @param threads native threads; 0 for the number that set_num_threads set
 * @param cancel when another thread makes it non-zero, filling stops
 * @returns false if it was cancelled
 */
export function fillPart(
  tensor: FilledTensor,
  bytes: Uint8Array,
  begin: number,
  key: Key,
  threads: number,
  cancel?: Int32Array,
): boolean {
  if (bytes.length === 0) return true;
  const { dtype, fill, slice, shape, elements, codes, steps, norms } = tensor;
  const size = unitOf(tensor);
  if (steps !== undefined) {
    fillSteps(steps, dtype, bytes, begin);
    return true;
  }
  if (norms !== undefined) return fillNorms(tensor, norms, bytes, begin, key, threads, cancel);
  if (codes !== undefined || (isGrid(dtype) && !(fill.kind === 'constant' && fill.value === 0))) {
    const filled = fillOfCodes(tensor, bytes, begin * size, key, threads, cancel);
    if (codes === undefined)
      clearZeroRow(tensor, bytes, begin * storedDtypes[dtype].pack, size / storedDtypes[dtype].pack);
    return filled;
  }
  if (!isFillable(dtype)) {
    // Integers of 16 bits and more, booleans and odd floats are zeros here, unless they are steps.
    bytes.fill(0);
    return true;
  }
  const count = bytes.length / size;
  const view = viewOf(dtype, bytes.buffer, bytes.byteOffset, count);
  const filled =
    slice !== undefined || (isWhole(fill) && count !== elements)
      ? runFillOfSlice(view, dtype, fill, key, slice ?? { shape, ranges: [] }, begin, threads, cancel)
      : fillRange(view, dtype, fill, key, begin, threads, cancel);
  clearZeroRow(tensor, bytes, begin, size);
  return filled;
}
