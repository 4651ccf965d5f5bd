import { expect, test } from 'vitest';
import type { Fill } from '../../../lib/core/fill.js';
import {
  bestScales,
  meanSquareError,
  nearestIn,
  powerOfTwoFor,
  scaleFor,
  type WeightGrid,
  weightValues,
} from '../../../lib/plan/quantize/scale.js';

const cases = (Object.keys(bestScales) as WeightGrid[]).flatMap((grid) =>
  (['normal', 'uniform'] as const).map((kind) => [grid, kind] as const),
);

test.each(cases)('the scale of %s for a %s distribution has the least error', (grid, kind) => {
  const values = weightValues(grid);
  const best = bestScales[grid][kind];
  const least = meanSquareError(values, kind, best);
  // Nowhere in a factor of 20 around it, and not beside it.
  for (let i = -60; i <= 60; i++) {
    expect(meanSquareError(values, kind, best * 20 ** (i / 60))).toBeGreaterThanOrEqual(least * (1 - 1e-9));
  }
  for (const beside of [0.999, 1.001]) expect(meanSquareError(values, kind, best * beside)).toBeGreaterThan(least);
});

test('the error is that of samples', () => {
  // Uniform in ±1 on int4: steps of 2/15, so (2/15)²/12.
  expect(meanSquareError(weightValues('int4'), 'uniform', 2 / 15)).toBeCloseTo((2 / 15) ** 2 / 12, 12);
  // A normal variable on one value, 0.
  expect(meanSquareError([0], 'normal', 1)).toBeCloseTo(1, 12);
});

test('scales follow the width of a fill', () => {
  expect(scaleFor({ kind: 'normal', mean: 0, std: 0.02 }, 'int4')).toBe(0.353411312 * 0.02);
  expect(scaleFor({ kind: 'uniform', a: -0.3, b: 0.3 }, 'int4')).toBe((2 / 15) * 0.3);
  expect(scaleFor({ kind: 'constant', value: 0 }, 'int4')).toBe(1);
  expect(scaleFor({ kind: 'constant', value: -0.5 }, 'int4')).toBe(0.5);
  expect(scaleFor({ kind: 'orthogonal', rows: 64, cols: 16, gain: 2, stride: 1, offset: 0 }, 'int8')).toBe(
    0.0308700895 / 4,
  );
});

test('a truncated normal distribution is as wide as that which it is cut from, or as far out as its interval', () => {
  const widthOf = (mean: number, std: number, a: number, b: number) =>
    scaleFor({ kind: 'trunc_normal', mean, std, a, b }, 'int4') / bestScales.int4.normal;
  expect(widthOf(0, 0.02, -0.04, 0.04)).toBeCloseTo(0.02, 12);
  expect(widthOf(0, 1, 0, Number.POSITIVE_INFINITY)).toBeCloseTo(1, 12);
  expect(widthOf(0.5, 0.01, 0.4, 0.6)).toBeCloseTo(Math.hypot(0.5, 0.01), 12);
  // Seven steps of the grid reach 5.
  expect(widthOf(0, 1, 3, 5)).toBeCloseTo(Math.hypot(3, 1), 12);
  expect(widthOf(0, 1, -5, -3)).toBeCloseTo(Math.hypot(3, 1), 12);
});

test('tables and biases of state spaces reach no farther than the scale, logarithms of small numbers and large steps included', () => {
  const mostOf = (fill: Fill) => 7 * scaleFor(fill, 'int4');
  for (const start of [1e-300, 0.01, 0.5, 1, 100])
    for (const cols of [1, 4, 64]) {
      const most = Math.max(Math.abs(Math.log(start)), Math.abs(Math.log(start + (cols - 1))));
      // The outermost code stands for what is half a step farther out too.
      expect((mostOf({ kind: 'log_arange', start, cols }) * 7.5) / 7).toBeGreaterThanOrEqual(most * (1 - 1e-12));
    }
  expect((mostOf({ kind: 'dt_bias', min: 1e-3, max: 1e4, floor: 0 }) * 7.5) / 7).toBeCloseTo(1e4, 6);
});

test('a power of two is the better one of two', () => {
  const of = (std: number) => powerOfTwoFor({ kind: 'normal', mean: 0, std }, 'float4_e2m1fn');
  const chosen = Array.from({ length: 9 }, (_, i) => of(2 ** (i / 8)));
  expect(chosen[0]).toBe(0.5);
  expect(chosen.at(-1)).toBe(1);
  expect(new Set(chosen).size).toBe(2);
});

test('numbers are rounded to what a file can hold', () => {
  expect(nearestIn(0.00706822624, 'float16')).toBe(0.007068634033203125);
  expect(nearestIn(1 + 2 ** -9, 'bfloat16')).toBe(1);
  expect(nearestIn(0.1, 'float32')).toBe(Math.fround(0.1));
  expect(nearestIn(-0.1, 'float32')).toBe(Math.fround(-0.1));
});
