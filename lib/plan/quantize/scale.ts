import { type Dtype, roundUp } from '../../core/dtype.js';
import type { Fill } from '../../core/fill.js';
import { type Grid, valuesOf } from '../../core/grid.js';
import { normalCdf } from '../../core/normal.js';

/** What a weight's values are like: normal with a standard deviation, or uniform within a bound. */
export interface Spread {
  readonly kind: 'normal' | 'uniform';
  readonly width: number;
}

/** Grids that weights are quantized to. */
export type WeightGrid = Extract<Grid, 'float8_e4m3fn' | 'float4_e2m1fn' | 'int8' | 'int4'>;

/**
 * The scale with the least mean square error for each grid: of a normal distribution with a standard deviation of 1, and of a uniform one
 * within ±1. Integers without the least one, so that nothing shifts the mean. test/plan/quantize/scale.test.ts finds them again.
 */
export const bestScales: Readonly<Record<WeightGrid, Readonly<Record<Spread['kind'], number>>>> = {
  float8_e4m3fn: { normal: 0.0203771734, uniform: 0.00763220608 },
  float4_e2m1fn: { normal: 0.487079208, uniform: 0.2275165475 },
  int8: { normal: 0.0308700895, uniform: 2 / 255 },
  int4: { normal: 0.353411312, uniform: 2 / 15 },
};

/** The values that weights have on a grid with the scale 1: an integer grid's without the least. */
export function weightValues(grid: WeightGrid): number[] {
  const values = valuesOf(grid);
  return grid === 'int8' || grid === 'int4' ? values.slice(1) : values;
}

/** The spread of a fill; undefined where all values are zero or one other number, which the scale is then to hold. */
export function spreadOf(fill: Fill): Spread | number {
  switch (fill.kind) {
    case 'constant':
      return Math.abs(fill.value);
    case 'diagonal':
      return Math.abs(fill.value);
    case 'uniform':
      return fill.a === fill.b
        ? Math.abs(fill.a)
        : { kind: 'uniform', width: Math.max(Math.abs(fill.a), Math.abs(fill.b)) };
    case 'normal':
      return fill.std === 0 ? Math.abs(fill.mean) : { kind: 'normal', width: Math.hypot(fill.mean, fill.std) };
    case 'trunc_normal': {
      // As wide as the distribution that it is cut from; but no value is nearer to 0 than an interval beside it.
      const nearest = Math.max(0, fill.a, -fill.b);
      return { kind: 'normal', width: Math.hypot(Math.max(Math.abs(fill.mean), nearest), fill.std) };
    }
    case 'orthogonal':
      return { kind: 'normal', width: Math.abs(fill.gain) / Math.sqrt(Math.max(fill.rows, fill.cols) * fill.stride) };
    case 'sparse':
      return fill.std === 0 ? 0 : { kind: 'normal', width: fill.std };
    // No weights are such; within their bounds, if somebody's rules make them so.
    case 'log_of_uniform':
      return { kind: 'uniform', width: Math.max(Math.abs(Math.log(fill.a)), Math.abs(Math.log(fill.b))) };
    case 'dt_bias': {
      const ends = [Math.max(fill.min, fill.floor), Math.max(fill.max, fill.floor)];
      // Where e^x is beyond all numbers, ln(e^x - 1) is x.
      return { kind: 'uniform', width: Math.max(...ends.map((x) => Math.abs(x > 700 ? x : Math.log(Math.expm1(x))))) };
    }
    case 'log_arange':
      return { kind: 'uniform', width: Math.max(-Math.log(fill.start), Math.log(fill.start + fill.cols)) };
    case 'sinusoid':
      return { kind: 'uniform', width: 1 };
  }
}

/** The best scale for a fill's values on a grid, before it is rounded to what a file can hold; 1 for zeros. */
export function scaleFor(fill: Fill, grid: WeightGrid): number {
  const spread = spreadOf(fill);
  if (typeof spread === 'number') return spread === 0 ? 1 : spread;
  return spread.width === 0 ? 1 : bestScales[grid][spread.kind] * spread.width;
}

/** The power of two that is the better scale of the two around the best one. */
export function powerOfTwoFor(fill: Fill, grid: WeightGrid): number {
  const spread = spreadOf(fill);
  const low = 2 ** Math.floor(Math.log2(scaleFor(fill, grid)));
  if (typeof spread === 'number') return low;
  const values = weightValues(grid);
  const error = (scale: number) => meanSquareError(values, spread.kind, scale / spread.width);
  return error(low) <= error(2 * low) ? low : 2 * low;
}

/** The value of a dtype nearest to x. */
export function nearestIn(x: number, dtype: Dtype): number {
  const [up, down] = [roundUp(x, dtype), -roundUp(-x, dtype)];
  return up - x < x - down ? up : down;
}

/**
 * E(x - Q(x))² of a distribution of width 1, symmetric values times a scale being what Q rounds to.
 *
 * @param values ascending, symmetric about 0
 */
export function meanSquareError(values: readonly number[], kind: Spread['kind'], scale: number): number {
  const positive = values.filter((value) => value >= 0);
  let sum = 0;
  let begin = 0;
  positive.forEach((value, i) => {
    const next = positive[i + 1];
    const end = next === undefined ? Number.POSITIVE_INFINITY : ((value + next) / 2) * scale;
    sum += (kind === 'normal' ? normalPart : uniformPart)(value * scale, begin, end);
    begin = end;
  });
  return 2 * sum;
}

/** ∫ (x - c)² φ(x) dx from a to b. */
function normalPart(c: number, a: number, b: number): number {
  const density = (x: number) => (x === Number.POSITIVE_INFINITY ? 0 : Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI));
  const end = b === Number.POSITIVE_INFINITY ? 0 : b * density(b);
  const mass = normalCdf(-a) - (b === Number.POSITIVE_INFINITY ? 0 : normalCdf(-b));
  return (1 + c * c) * mass - (end - a * density(a)) + 2 * c * (density(b) - density(a));
}

/** ∫ (x - c)² / 2 dx from a to b, within [0, 1]. */
function uniformPart(c: number, a: number, b: number): number {
  const [from, to] = [Math.min(a, 1), Math.min(b, 1)];
  return ((to - c) ** 3 - (from - c) ** 3) / 6;
}
