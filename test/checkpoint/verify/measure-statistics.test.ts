import { expect, test } from 'vitest';
import { distributionOf } from '../../../lib/checkpoint/verify/statistics/expected.js';
import { Accumulator } from '../../../lib/checkpoint/verify/statistics/measure.js';
import type { Dtype } from '../../../lib/core/dtype.js';
import type { Fill } from '../../../lib/core/fill.js';
import { normalCdf, normalQuantile, twoSidedZ } from '../../../lib/core/normal.js';
import { valuesOf } from '../../support.js';

const normal: Fill = { kind: 'normal', mean: 0.01, std: 0.02 };
const uniform: Fill = { kind: 'uniform', a: -0.3, b: 0.7 };
const truncated: Fill = { kind: 'trunc_normal', mean: 0, std: 1, a: -2, b: 2 };
const tail: Fill = { kind: 'trunc_normal', mean: 0, std: 1, a: 6, b: 9 };
const lopsided: Fill = { kind: 'trunc_normal', mean: 1, std: 0.5, a: -10, b: 1.2 };

function expected(fill: Fill, dtype: Dtype = 'float32') {
  const distribution = distributionOf(fill, dtype);
  if (distribution === undefined) throw new Error('no distribution');
  return distribution;
}

function scores(values: Float32Array | Float64Array, fill: Fill, dtype: Dtype = 'float32') {
  const accumulator = new Accumulator(expected(fill, dtype));
  // In pieces of odd lengths.
  const memory = values instanceof Float64Array ? 'float64' : 'float32';
  for (let i = 0; i < values.length; i += 10007) accumulator.add(values.subarray(i, i + 10007), memory);
  const found = accumulator.scores(dtype).scores;
  return { statistics: accumulator.statistics(), z: Object.fromEntries(found.map(({ test, z }) => [test, z])) };
}

test('Φ and its inverse', () => {
  // From tables with more digits than double has.
  expect(normalCdf(0)).toBe(0.5);
  expect(normalCdf(1)).toBeCloseTo(0.841344746068543, 14);
  expect(normalCdf(-3) / 0.001349898031630095).toBeCloseTo(1, 11);
  expect(normalCdf(-6) / 9.86587645037698e-10).toBeCloseTo(1, 11);
  expect(normalCdf(-10) / 7.61985302416053e-24).toBeCloseTo(1, 11);
  expect(normalQuantile(0.975)).toBeCloseTo(1.95996398454005, 12);
  expect(normalQuantile(1e-9)).toBeCloseTo(-5.99780701500769, 11);
  // Few are kept: those asked for again, and many others between, are the same.
  const several = Array.from({ length: 1000 }, (_, i) => (i + 1) / 1001);
  const first = several.map(normalQuantile);
  expect(several.map(normalQuantile)).toEqual(first);
  for (const [i, p] of several.entries()) expect(normalCdf(first[i] ?? 0)).toBeCloseTo(p, 12);
  expect(twoSidedZ(0.05)).toBeCloseTo(1.95996398454005, 12);
  for (const x of [-8, -3.0001, -2.9999, -0.1, 0.3, 4]) expect(normalQuantile(normalCdf(x))).toBeCloseTo(x, 9);
});

test.each([
  ['normal', normal],
  ['uniform', uniform],
  ['truncated', truncated],
  ['truncated far out', tail],
  ['truncated on one side', lopsided],
  ['half-normal', { kind: 'trunc_normal', mean: 0.3, std: 2, a: Number.NEGATIVE_INFINITY, b: 0.3 } satisfies Fill],
  ['tail without an end', { kind: 'trunc_normal', mean: -1, std: 2, a: 5, b: Number.POSITIVE_INFINITY } satisfies Fill],
  ['truncated a hundred million std out', { kind: 'trunc_normal', mean: -1, std: 1e-8, a: 0, b: 1e-16 } satisfies Fill],
  ['short piece of a tail', { kind: 'trunc_normal', mean: 0, std: 1, a: 2, b: 2 + 1e-9 } satisfies Fill],
])('the distribution of a %s fill has the moments and quantiles of its samples', (_name, fill) => {
  const { mean, std, fourth, cdf, quantile, low, high } = expected(fill, 'float64');
  const values = valuesOf(fill, 'float64', 200_000, { seed: 1n, stream: 1n }) as Float64Array;
  const n = values.length;
  const average = values.reduce((sum, x) => sum + x, 0) / n;
  const central = (power: number) => values.reduce((sum, x) => sum + (x - average) ** power, 0) / n;
  expect(Math.abs(average - mean)).toBeLessThan((5 * std) / Math.sqrt(n));
  expect(Math.abs(central(2) / std ** 2 - 1)).toBeLessThan(0.03);
  expect(Math.abs(central(4) / fourth - 1)).toBeLessThan(0.1);
  const sorted = values.toSorted();
  for (const p of [0.01, 0.3, 0.5, 0.9]) {
    expect(cdf(quantile(p))).toBeCloseTo(p, 9);
    expect(Math.abs(cdf(sorted[Math.floor(p * n)] as number) - p)).toBeLessThan(0.007);
  }
  expect(sorted[0]).toBeGreaterThanOrEqual(low);
  expect(sorted[n - 1]).toBeLessThanOrEqual(high);
});

test('a half-normal is found where only its half is planned, and the other way round', () => {
  const half: Fill = { kind: 'trunc_normal', mean: 0, std: 1, a: 0, b: Number.POSITIVE_INFINITY };
  const whole: Fill = { kind: 'normal', mean: 0, std: 1 };
  const key = { seed: 1n, stream: 1n };
  expect(Math.max(...Object.values(scores(valuesOf(half, 'float32', 10_000, key), half).z))).toBeLessThan(5);
  expect(scores(valuesOf(whole, 'float32', 10_000, key), half).z.bounds).toBe(Number.POSITIVE_INFINITY);
  expect(scores(valuesOf(half, 'float32', 10_000, key), whole).z.mean).toBeGreaterThan(10);
});

test('what is no sample of a distribution has none', () => {
  expect(distributionOf({ kind: 'constant', value: 1 }, 'float32')).toBeUndefined();
  expect(distributionOf({ kind: 'normal', mean: 1, std: 0 }, 'float32')).toBeUndefined();
  const orthogonal: Fill = { kind: 'orthogonal', rows: 2, cols: 2, gain: 1, stride: 1, offset: 0 };
  expect(distributionOf(orthogonal, 'float32')).toBeUndefined();
});

/** What so many values can be tested for: of a distribution with ends a few do not tell how wide it is, and none is too far out. */
const testsOf = ({ kind }: Fill, count: number): string[] => [
  ...['zeros', 'mean'],
  ...(kind === 'normal' || count > 3 ? ['std'] : []),
  ...(kind === 'normal' ? ['extremes'] : []),
  ...(count > 20 ? ['shape'] : []),
];

test.each(['float32', 'float64', 'float16', 'bfloat16'] as const)('samples in %s pass, of whatever number', (dtype) => {
  for (const fill of [normal, uniform, truncated, lopsided]) {
    for (const count of [1, 2, 3, 20, 1000, 300_000]) {
      for (let seed = 0n; seed < 12n; seed++) {
        const { z } = scores(valuesOf(fill, dtype, count, { seed, stream: 9n }), fill, dtype);
        expect(Object.keys(z)).toEqual(testsOf(fill, count));
        for (const [name, score] of Object.entries(z)) expect(score, `${fill.kind} ${count} ${name}`).toBeLessThan(5.5);
      }
    }
  }
});

test.each<[string, Fill]>([
  ['N(1e10, 0.001²)', { kind: 'normal', mean: 1e10, std: 1e-3 }],
  ['N(1, 1e-12²)', { kind: 'normal', mean: 1, std: 1e-12 }],
  ['U[1, 1 + 1e-13)', { kind: 'uniform', a: 1, b: 1 + 1e-13 }],
])('float64 keeps a distribution apart that is narrow beside its mean: %s', (_, fill) => {
  const { z } = scores(valuesOf(fill, 'float64', 100_000, { seed: 1n, stream: 1n }) as Float64Array, fill, 'float64');
  expect(Object.keys(z)).toEqual(testsOf(fill, 100_000));
  for (const [test, score] of Object.entries(z)) if (!(score < 5)) expect.fail(`${test}: ${score}`);
});

test('scores are those of their definition', () => {
  const values = Float64Array.from(valuesOf(normal, 'float32', 100_000, { seed: 3n, stream: 1n }));
  const { statistics, z } = scores(values, normal);
  const n = values.length;
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1);
  expect(statistics.count).toBe(n);
  expect(statistics.mean).toBeCloseTo(mean, 10);
  expect(statistics.std).toBeCloseTo(Math.sqrt(variance), 10);
  expect(statistics.min).toBe(values.reduce((least, x) => Math.min(least, x), 1));
  expect(statistics.max).toBe(values.reduce((most, x) => Math.max(most, x), -1));
  expect(z.mean).toBeCloseTo((Math.abs(mean - 0.01) / 0.02) * Math.sqrt(n), 5);
});

test.each<[string, (x: number) => number, string]>([
  ['a std 2 % too large', (x) => 0.01 + 1.02 * (x - 0.01), 'std'],
  ['a mean 0.03 std off', (x) => x + 0.0006, 'mean'],
  ['a value missing among the small ones', (x) => (Math.abs(x - 0.01) < 0.002 ? 0.01 : x), 'shape'],
  ['one side folded', (x) => (x < 0.01 ? 0.02 - x : x), 'mean'],
])('found: %s', (_what, change, by) => {
  const values = valuesOf(normal, 'float32', 100_000, { seed: 4n, stream: 1n }).map(change) as Float32Array;
  expect(scores(values, normal).z[by]).toBeGreaterThan(7);
});

test('found: ten numbers with another mean', () => {
  for (const fill of [normal, uniform, truncated]) {
    const { z } = scores(valuesOf(fill, 'float32', 10, { seed: 4n, stream: 2n }), fill);
    expect(z.mean).toBeLessThan(3);
  }
  const wide: Fill = { kind: 'normal', mean: 0, std: 1 };
  const shifted = valuesOf(wide, 'float32', 10, { seed: 4n, stream: 2n }).map((x) => x + 3) as Float32Array;
  expect(scores(shifted, wide).z.mean).toBeGreaterThan(7);
});

test('a part of a sparse tensor has about its share of zeros', () => {
  const fill: Fill = { kind: 'sparse', rows: 1000, cols: 10, zeros: 300, std: 1 };
  const values = valuesOf({ kind: 'normal', mean: 0, std: 1 }, 'float32', 10_000, { seed: 2n, stream: 1n });
  const zScore = (zeros: number, count = 10_000) => {
    const accumulator = new Accumulator(expected(fill));
    accumulator.add(
      Float32Array.from(values.subarray(0, count), (x, i) => (i < zeros ? 0 : x)),
      'float32',
    );
    return accumulator.scores('float32', false).scores.find(({ test }) => test === 'zeros')?.z;
  };
  // Of n with probability p, in units of √(n·p·(1 - p)).
  expect(zScore(3046)).toBeCloseTo(46 / Math.sqrt(2100), 2);
  expect(zScore(2908)).toBeCloseTo(92 / Math.sqrt(2100), 2);
  expect(zScore(3600)).toBeGreaterThan(10);
  expect(zScore(10, 40)).toBeUndefined();
});

test('found: uniform numbers with the mean and std of normal ones, and the other way round', () => {
  const [fill, same]: [Fill, Fill] = [
    { kind: 'uniform', a: -Math.sqrt(3), b: Math.sqrt(3) },
    { kind: 'normal', mean: 0, std: 1 },
  ];
  const key = { seed: 5n, stream: 1n };
  for (const dtype of ['float32', 'bfloat16'] as const) {
    const flat = scores(valuesOf(fill, dtype, 50_000, key), same, dtype).z;
    expect(flat.shape).toBeGreaterThan(7);
    expect(flat.mean).toBeLessThan(5);
    expect(scores(valuesOf(same, dtype, 50_000, key), fill, dtype).z.bounds).toBe(Number.POSITIVE_INFINITY);
  }
});

test('found: one number of many that is not finite, out of bounds, or too far out', () => {
  const key = { seed: 6n, stream: 1n };
  const withOne = (fill: Fill, x: number) => {
    const values = Float32Array.from(valuesOf(fill, 'float32', 50_000, key));
    values[31_234] = x;
    return scores(values, fill);
  };
  for (const x of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const { z, statistics } = withOne(normal, x);
    expect(z.finite).toBe(Number.POSITIVE_INFINITY);
    expect([statistics.nan, statistics.infinite]).toEqual(Number.isNaN(x) ? [1, 0] : [0, 1]);
    expect(statistics.count).toBe(49_999);
    expect(z.mean).toBeLessThan(5);
  }
  expect(withOne(uniform, 0.71).z.bounds).toBe(Number.POSITIVE_INFINITY);
  expect(withOne(uniform, 0.7).z.bounds).toBeUndefined(); // others round up to b
  expect(withOne(normal, 0.01 + 0.02 * 9).z.extremes).toBeGreaterThan(7);
  expect(withOne(normal, 1e30).z.extremes).toBeGreaterThan(30);
  expect(withOne(normal, 0.01 - 0.02 * 5).z.extremes).toBeLessThan(5);
});

test('zeros of a sparse tensor are not part of its distribution', () => {
  const fill: Fill = { kind: 'sparse', rows: 100, cols: 100, zeros: 90, std: 0.01 };
  const { z, statistics } = scores(valuesOf(fill, 'float32', 10_000, { seed: 1n, stream: 1n }), fill);
  expect(statistics.count).toBe(1000);
  for (const score of Object.values(z)) expect(score).toBeLessThan(5);
});

test('nothing at all is nothing wrong', () => {
  const { z, statistics } = scores(new Float32Array(0), normal);
  expect(z).toEqual({});
  expect(statistics.count).toBe(0);
});

const near: readonly Fill[] = [
  { kind: 'normal', mean: 1, std: 0.001 },
  { kind: 'normal', mean: 1, std: 0.02 },
  { kind: 'normal', mean: -3, std: 0.3 },
  { kind: 'normal', mean: 100, std: 1e-5 },
  { kind: 'normal', mean: 0, std: 3e-8 },
  { kind: 'uniform', a: 1, b: 1.01 },
  { kind: 'uniform', a: 1, b: 1.015625 },
  { kind: 'uniform', a: -2.001, b: -1.99 },
  { kind: 'uniform', a: 0, b: 1e-7 },
  { kind: 'trunc_normal', mean: 1, std: 0.01, a: 0.99, b: 1.03 },
  { kind: 'trunc_normal', mean: 5, std: 1, a: 5, b: 5.0005 },
];

test.each(['float32', 'float16', 'bfloat16'] as const)(
  'where the values of %s are few beside the distribution, samples pass, and those of another do not',
  (dtype) => {
    let swaps = 0;
    for (const fill of near) {
      const text = JSON.stringify(fill);
      for (const count of [1, 40, 3000, 400_000]) {
        for (let seed = 0n; seed < 4n; seed++) {
          const { z } = scores(valuesOf(fill, dtype, count, { seed, stream: 4n }), fill, dtype);
          for (const [name, score] of Object.entries(z)) expect(score, `${text} ${count} ${name}`).toBeLessThan(5.5);
        }
      }
      const values = valuesOf(fill, dtype, 400_000, { seed: 5n, stream: 4n });
      const [first] = values.filter((x) => x !== values[0]);
      // All are one value, or a tenth of them and more is what libraries round each in its way.
      if (first === undefined || expected(fill, dtype).ends > 0.1) continue;
      const swapped = values.map((x, i) => (i % 4 === 0 ? (values[0] as number) : x)) as Float32Array;
      expect(Math.max(...Object.values(scores(swapped, fill, dtype).z)), text).toBeGreaterThan(7);
      swaps += 1;
    }
    expect(swaps).toBeGreaterThan(4);
  },
);

test('found: a hundredth of the elements is zero, where no such thing is drawn', () => {
  for (const fill of [normal, uniform, truncated, lopsided]) {
    for (const dtype of ['float32', 'float16'] as const) {
      const values = valuesOf(fill, dtype, 20_000, { seed: 7n, stream: 2n });
      expect(scores(values, fill, dtype).z.zeros).toBe(0);
      for (let i = 0; i < values.length; i += 100) values[i] = 0;
      expect(scores(values, fill, dtype).z.zeros, fill.kind).toBe(Number.POSITIVE_INFINITY);
    }
  }
});
