import type { Fill } from '../core/fill.js';
import { fillRange, type Key } from '../native/addon.js';
import type { Slice } from '../tensor/slice.js';
import { bytesEach, bytesOf, isNarrowTarget, type Target } from '../tensor/target.js';
import { fillOfCodes } from './fill-codes.js';
import { runFillOfSlice } from './run-slice.js';

/**
 * Fills a tensor on this thread; of a narrow one values are drawn in float32, and become the nearest of the grid's.
 *
 * @param begin index of its first element within the fill, of whole bytes
 * @returns false if it was cancelled
 */
export function fillTarget(
  target: Target,
  fill: Fill,
  key: Key,
  threads: number,
  begin = 0,
  cancel?: Int32Array,
): boolean {
  if (!isNarrowTarget(target)) return fillRange(target.data, target.dtype, fill, key, begin, threads, cancel);
  return fillOfCodes({ ...target, fill }, bytesOf(target.data), begin * bytesEach(target.dtype), key, threads, cancel);
}

/** fillTarget, for a tensor that is a slice of what is filled. */
export function fillSliceOfTarget(target: Target, fill: Fill, key: Key, slice: Slice, threads: number): void {
  if (isNarrowTarget(target)) fillOfCodes({ ...target, fill, slice }, bytesOf(target.data), 0, key, threads);
  else runFillOfSlice(target.data, target.dtype, fill, key, slice, 0, threads);
}
