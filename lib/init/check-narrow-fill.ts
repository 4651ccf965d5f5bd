import { rangeError } from '../core/check.js';
import type { Fill } from '../core/fill.js';
import { encodingOf } from '../core/grid.js';
import type { CheckedNarrow } from '../tensor/narrow.js';

/** Checks that a fill's values can be told apart on a narrow tensor's grid, as far as bounds and constants go. */
export function checkNarrowFill(fn: string, fill: Fill, { dtype }: CheckedNarrow): void {
  if (fill.kind === 'constant' && !Number.isFinite(fill.value)) {
    throw rangeError(fn, 'val', `a finite number in ${dtype}`, fill.value);
  }
  try {
    encodingOf(dtype, fill);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw rangeError(fn, 'a', `bounds that hold a value of ${dtype}`, 'a' in fill ? fill.a : undefined);
  }
}
