import type { Fill } from '../core/fill.js';
import { fillRange, type Key } from '../native/addon.js';
import { bytesOf, isNarrowTarget, type Target } from '../tensor/target.js';
import { fillOfCodes } from './fill-codes.js';

/** Fills a tensor on this thread; of a narrow one values are drawn in float32, and become the nearest of the grid's. */
export function fillTarget(target: Target, fill: Fill, key: Key, threads: number): void {
  if (isNarrowTarget(target)) fillOfCodes({ ...target, fill }, bytesOf(target.data), 0, key, threads);
  else fillRange(target.data, target.dtype, fill, key, 0, threads);
}
