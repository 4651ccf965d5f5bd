import { expect, test } from 'vitest';
import { distributionOf } from '../../../lib/checkpoint/verify/statistics/expected.js';
import { Accumulator } from '../../../lib/checkpoint/verify/statistics/measure.js';
import { countZ, gridOf, meanZ } from '../../../lib/checkpoint/verify/statistics/tails.js';
import type { Fill } from '../../../lib/core/fill.js';
import { valuesOf } from '../../support.js';

/** As Qwen3-Next and its kin begin their A_log. */
const decay: Fill = { kind: 'log_of_uniform', a: 0.01, b: 16 };
const far: Fill = { kind: 'trunc_normal', mean: 0, std: 1, a: 5, b: 100 };

function scoresOf(fill: Fill, values: Float32Array, expected = distributionOf(fill, 'float32')) {
  if (expected === undefined) throw new Error('no distribution');
  const accumulator = new Accumulator(expected);
  accumulator.add(values, 'float32');
  return accumulator.scores('float32').scores;
}

// From scipy.stats: norm.isf(gamma.sf(n * mean, n)).
test.each([
  [1, 15, 4.987],
  [8, 4, 5.1826],
  [32, 2.5, 6.1658],
])('the mean of %i exponentials, %d, is as far out as the gamma distribution says', (n, mean, exact) => {
  const grid = () =>
    gridOf(
      (x) => -Math.expm1(-x),
      (p) => -Math.log1p(-p),
    );
  const z = (mean - 1) * Math.sqrt(n);
  expect(z).toBeGreaterThan(exact + 2);
  expect(Math.abs(meanZ(z, mean, n, grid, (x) => x) - exact)).toBeLessThan(0.06);
});

test('a count is as far out as the Poisson distribution says, and one of next to nothing is no number', () => {
  // norm.isf(poisson.sf(56, 25)).
  expect(Math.abs(countZ(6.3, 56.5e-6, 1e6, 25e-6) - 5.4265)).toBeLessThan(0.02);
  expect(countZ(3, 40e-6, 1e6, 25e-6)).toBe(3);
  expect(countZ(7, 0, 1e6, 49e-6)).toBe(7);
});

test.each([
  ['logarithms of uniforms', decay, 24, 20_000],
  ['one logarithm of a uniform', decay, 1, 20_000],
  ['one of a far tail', far, 1, 4_000],
])('%s as planned pass, however skewed and few they are', (_name, fill, count, tensors) => {
  const expected = distributionOf(fill, 'float32');
  const values = valuesOf(fill, 'float32', count * tensors, { seed: 5n, stream: 2n }) as Float32Array;
  let most = 0;
  for (let at = 0; at < values.length; at += count) {
    for (const { z } of scoresOf(fill, values.subarray(at, at + count), expected)) most = Math.max(most, z);
  }
  // Of so many scores the farthest is 4.2 or so.
  expect(most).toBeGreaterThan(3);
  expect(most).toBeLessThan(5.2);
});

test('few numbers that are others than planned do not pass', () => {
  const worst = (values: Float32Array) => Math.max(...scoresOf(decay, values).map(({ z }) => z));
  expect(worst(new Float32Array(32))).toBeGreaterThan(6.5);
  expect(worst(new Float32Array(100).fill(2))).toBeGreaterThan(6.5);
});
