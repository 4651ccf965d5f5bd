/** What becomes of a distribution where real numbers are rounded to a dtype whose values are not much closer than they. */
import { type Dtype, roundUp } from '../../../core/dtype.js';
import type { Grid } from './tails.js';

export interface Rounded {
  readonly mean: number;
  readonly std: number;
  /** E(x - mean)⁴. */
  readonly fourth: number;
  readonly rounded: Grid;
}

/** Steps wider than this part of a standard deviation change the moments by what may show. */
const coarse = 1 / 64;
/** Rounded numbers that are closer than this part of a standard deviation are taken together: their variance is 10^-6 of it. */
const fine = 1 / 256;

/** The number from which on real numbers round to values ≥ x of a dtype: half way between its values around x. */
export function boundary(x: number, dtype: Dtype): number {
  const above = roundUp(x, dtype);
  const below = -roundUp(-x, dtype);
  return Number.isFinite(above) && Number.isFinite(below) ? (above + below) / 2 : x;
}

/** A step that leaves a value of a dtype, and passes over none, in float64 over one at most. */
function stepFrom(value: number, dtype: Dtype): number {
  return Math.max(Math.abs(value) * 2 ** (dtype === 'float64' ? -52 : -40), Number.MIN_VALUE);
}

/** The real numbers that round to a value of a dtype. */
export function roundedTo(value: number, dtype: Dtype): readonly [number, number] {
  if (!Number.isFinite(value)) return [value, value];
  const step = stepFrom(value, dtype);
  return [boundary(value - step, dtype), boundary(value + step, dtype)];
}

/**
 * A distribution after rounding; undefined where the dtype's values are so close that rounding changes nothing.
 *
 * @param low no real number is less, or so few that none counts
 * @param high none is more
 */
export function rounded(
  { mean, std }: Pick<Rounded, 'mean' | 'std'>,
  cdf: (x: number) => number,
  [low, high]: readonly [number, number],
  dtype: Dtype,
): Rounded | undefined {
  const [from, to] = roundedTo(roundUp(Math.abs(mean) + std, dtype), dtype);
  if (!(to - from > coarse * std)) return undefined;
  const values: number[] = [];
  const weights: number[] = [];
  let value = -roundUp(-low, dtype);
  let before = 0;
  while (Number.isFinite(value)) {
    const next = roundUp(value + Math.max(fine * std, stepFrom(value, dtype)), dtype);
    const up = next > value && value < high ? cdf(Number.isFinite(next) ? (value + next) / 2 : value) : 1;
    if (up > before) {
      values.push(value);
      weights.push(up - before);
    }
    if (up === 1) break;
    before = up;
    value = next;
  }
  const sum = (of: (x: number) => number): number =>
    values.reduce((total, x, i) => total + of(x) * (weights[i] as number), 0);
  const center = sum((x) => x);
  return {
    mean: center,
    std: Math.sqrt(sum((x) => (x - center) ** 2)),
    fourth: sum((x) => (x - center) ** 4),
    rounded: { values: Float64Array.from(values), weights: Float64Array.from(weights) },
  };
}
