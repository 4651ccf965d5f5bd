import type { OwnTensor } from '../module.js';

/** How many distances there are between two places of a square window. */
export const distances = (window: number): number => (2 * window - 1) ** 2;

/**
 * The table that tells for each two places of a square window which distance it is: row by row, the differences of their rows and of
 * their columns, counted from the least. It is saved with the weights.
 *
 * @param shape of window⁴ elements
 */
export function relativePositionIndex(window: number, shape: readonly number[]): OwnTensor {
  const row = 2 * window - 1;
  // An element's index has four digits: the row and the column of the first place, and those of the second.
  const terms = [row, 1, -row, -1].map((step, digit) => ({ step, every: window ** (3 - digit), of: window }));
  const steps = { start: (window - 1) * (row + 1), terms };
  return { shape, initial: 'zeros', dtype: 'int64', buffer: true, steps };
}
