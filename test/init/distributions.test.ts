import { describe, expect, test } from 'vitest';
import { distributionOf } from '../../lib/checkpoint/verify/statistics/expected.js';
import { type Dtype, dtypes } from '../../lib/core/dtype.js';
import type { Fill } from '../../lib/core/fill.js';
import * as init from '../../lib/init/init.js';
import { Generator } from '../../lib/random/generator.js';
import { empty } from '../../lib/tensor/tensor.js';
import { toFloat32Array } from '../../lib/tensor/widen.js';
import { binomialZ, correlationZ, ks, normalCdf, normalMoments, normalTail } from '../statistics.js';
import { valuesOf } from '../support.js';

const n = 1 << 19;
const key = { seed: 20261124n, stream: 3n };
const everyDtype = Object.keys(dtypes) as Dtype[];
/** Five standard errors: 6e-7 a test. */
const limit = 5;
const ksLimit = 2.69;

/** The step of the dtype's grid near 1: below it, a distribution function has stairs. */
const grain: Record<Dtype, number> = { float32: 2 ** -24, float64: 2 ** -53, float16: 2 ** -11, bfloat16: 2 ** -8 };

/** Spreads each sample evenly over the cell that rounds to it, so that the stairs of 16-bit types do not upset KS. */
function spread(samples: ArrayLike<number>, dtype: Dtype): Float64Array {
  const out = Float64Array.from(samples);
  if (dtype !== 'float16' && dtype !== 'bfloat16') return out;
  const noise = valuesOf({ kind: 'uniform', a: -0.5, b: 0.5 }, 'float64', out.length, { seed: 5n, stream: 5n });
  for (let i = 0; i < out.length; i++) {
    const x = out[i] as number;
    const ulp = 2 ** (Math.floor(Math.log2(Math.max(Math.abs(x), 2 ** -14))) + 1) * grain[dtype];
    out[i] = x + ulp * (noise[i] as number);
  }
  return out;
}

/** A sample that is not in [a, b), if there is one. */
function outside(samples: ArrayLike<number>, a: number, b: number): number | undefined {
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i] as number;
    if (!(x >= a && x < b)) return x;
  }
  return undefined;
}

describe.each(everyDtype)('%s', (dtype) => {
  test('uniform: moments, shape, and never b', () => {
    for (const [a, b] of [
      [0, 1],
      [-0.3, 0.7],
      [-2, -1],
    ] as const) {
      const x = valuesOf({ kind: 'uniform', a, b }, dtype, n, key);
      expect(outside(x, a, b)).toBeUndefined();
      let mean = 0;
      for (const v of x) mean += v;
      // Rounding to nearest does not move the mean; clamping below b does, by less than a quarter of a squared step.
      const bias = grain[dtype] ** 2 * Math.max(Math.abs(a), Math.abs(b), 1);
      expect(Math.abs(mean / n - (a + b) / 2)).toBeLessThan(limit * ((b - a) / Math.sqrt(12 * n)) + bias);
      if (grain[dtype] < 1e-6) expect(ks(x, (v) => (v - a) / (b - a))).toBeLessThan(ksLimit);
    }
  });

  test('normal: moments and shape', () => {
    const z = valuesOf({ kind: 'normal', mean: 0, std: 1 }, dtype, n, key);
    const m = normalMoments(z);
    for (const value of Object.values(m)) expect(Math.abs(value)).toBeLessThan(limit);
    expect(ks(spread(z, dtype), normalCdf)).toBeLessThan(ksLimit);
  });

  test('normal: mean and std arrive', () => {
    const x = valuesOf({ kind: 'normal', mean: -0.5, std: 0.25 }, dtype, n, key);
    const m = normalMoments(Float64Array.from(x, (v) => (v + 0.5) / 0.25));
    for (const value of Object.values(m)) expect(Math.abs(value)).toBeLessThan(limit);
  });

  test.each([
    { kind: 'log_of_uniform', a: 0.01, b: 16 },
    { kind: 'dt_bias', min: 0.001, max: 0.1, floor: 1e-4 },
  ] as const)('$kind: its distribution, and in 16 bits the float32 rounded', (fill) => {
    const x = valuesOf(fill, dtype, 1 << 17, key);
    if (dtypes[dtype].bytes > 2) {
      const distribution = distributionOf(fill, dtype);
      expect(ks(x, (v) => distribution?.cdf(v) ?? Number.NaN)).toBeLessThan(ksLimit);
      return;
    }
    const wide = valuesOf(fill, 'float32', 1 << 17, key);
    for (let i = 0; i < x.length; i++) {
      const [narrow, exact] = [x[i] as number, wide[i] as number];
      if (!(Math.abs(narrow - exact) <= grain[dtype] * Math.abs(exact) + 2 ** -24)) expect.fail(`${narrow}, ${exact}`);
    }
  });

  // Each takes another way through the kernel: see docs/streams.md.
  test.each([
    [0, 1, -2, 2],
    [0, 1, -1, 2.2],
    [0, 1, -3, 3],
    [0, 1, -0.5, 40],
    [0, 1, -100, 100],
    [1, 2, 4.5, 5],
    [0, 1, 1, 12],
    [0, 1, -30, -4],
    [0, 0.02, -2, 2],
    [3, 0.5, 0, 1],
  ])('trunc_normal(%d, %d, %d, %d): inside the bounds, and the conditional distribution', (mean, std, a, b) => {
    const x = valuesOf({ kind: 'trunc_normal', mean, std, a, b }, dtype, 1 << 17, key);
    for (const v of x) if (!(v >= a && v <= b)) expect.fail(`${v} is outside [${a}, ${b}]`);
    if (dtype === 'float16' || dtype === 'bfloat16') {
      const wide = valuesOf({ kind: 'trunc_normal', mean, std, a, b }, 'float32', 1 << 17, key);
      for (let i = 0; i < x.length; i++) {
        const [narrow, exact] = [x[i] as number, wide[i] as number];
        if (!(Math.abs(narrow - exact) <= 2 * grain[dtype] * Math.abs(exact) + 2 ** -24))
          expect.fail(`${narrow}, ${exact}`);
      }
      return;
    }
    const [alpha, beta] = [(a - mean) / std, (b - mean) / std];
    // In the tail that the interval lies in, so that nothing cancels.
    const far = alpha > 2 || beta < -2;
    const sign = beta < -2 ? -1 : 1;
    const [low, high] = sign < 0 ? [-beta, -alpha] : [alpha, beta];
    const cdf = far
      ? (z: number) => (normalTail(low) - normalTail(z)) / (normalTail(low) - normalTail(high))
      : (z: number) => (normalCdf(z) - normalCdf(low)) / (normalCdf(high) - normalCdf(low));
    const z = Float64Array.from(x, (v) => Math.min(Math.max((sign * (v - mean)) / std, low), high));
    expect(ks(z, cdf)).toBeLessThan(ksLimit);
  });
});

test('truncated normals with a std near the least number, and a bound near the largest', () => {
  const made = (mean: number, std: number, a: number, b: number) =>
    Array.from(valuesOf({ kind: 'trunc_normal', mean, std, a, b }, 'float64', 1 << 10, key));
  const least = Number.MIN_VALUE;
  expect([...new Set(made(0, least, 1, 1e308))]).toEqual([1]);
  expect([...new Set(made(1.7e308, least, -1.7e308, 1.6e308))]).toEqual([1.6e308]);
  const half = made(0, 100 * least, 0, 1e308);
  expect(half.every((x) => x >= 0)).toBe(true);
  // E|z| = sqrt(2 / π), and the variance of |z| is 1 - 2 / π.
  const mean = half.reduce((sum, x) => sum + x / (100 * least), 0) / half.length;
  expect(Math.abs(mean - Math.sqrt(2 / Math.PI))).toBeLessThan(limit * Math.sqrt((1 - 2 / Math.PI) / half.length));
});

test('bfloat16 uniforms are unbiased where PyTorch has 0.49803', () => {
  const x = valuesOf({ kind: 'uniform', a: 0, b: 1 }, 'bfloat16', 1 << 22, key);
  let mean = 0;
  for (const v of x) mean += v;
  expect(Math.abs(mean / x.length - 0.5)).toBeLessThan(limit / Math.sqrt(12 * x.length) + 2e-5);
});

test('normal tails reach where they should', () => {
  const count = 1 << 24;
  const z = valuesOf({ kind: 'normal', mean: 0, std: 1 }, 'float32', count, key);
  for (const t of [3, 4, 5]) {
    let beyond = 0;
    for (let i = 0; i < count; i++) if (Math.abs(z[i] as number) > t) beyond++;
    expect(Math.abs(binomialZ(beyond, count, 2 * normalTail(t)))).toBeLessThan(limit);
  }
});

test.each(['philox', 'torch'] as const)(
  'normals beyond the dtype are infinities, as in PyTorch: engine %s',
  (engine) => {
    const cases = [
      ['float16', 40_000, 65_520],
      ['bfloat16', 3e38, 3.3961775292304e38],
      ['float32', 3e38, 3.4028235677973366e38],
      ['float64', 1.7e308, 1.7976931348623157e308],
    ] as const;
    for (const [dtype, std, most] of cases) {
      const w = init.normal_(empty([10_000], { dtype }), 0, std, new Generator({ engine, seed: 5 }));
      const values = Array.from(dtype === 'float64' ? w.data : toFloat32Array(w));
      const infinite = values.filter((value) => Math.abs(value) === Number.POSITIVE_INFINITY).length;
      expect(values.some(Number.isNaN), dtype).toBe(false);
      expect(Math.abs(binomialZ(infinite, values.length, 2 * normalTail(most / std))), dtype).toBeLessThan(limit);
      expect(() => init.normal_(empty([2], { dtype }), 0, most * 1.01), dtype).toThrow(RangeError);
    }
  },
);

test('elements, streams and seeds are independent', () => {
  const fill: Fill = { kind: 'normal', mean: 0, std: 1 };
  const x = valuesOf(fill, 'float32', 1 << 18, key);
  // 64 is the distance of the two values of one Box-Muller pair, 128 a tile.
  for (const lag of [1, 2, 3, 4, 7, 8, 16, 32, 63, 64, 65, 127, 128, 129]) {
    expect(Math.abs(correlationZ(x, x.subarray(lag)))).toBeLessThan(limit);
    const squares = x.map((v) => v * v);
    expect(Math.abs(correlationZ(squares, squares.subarray(lag)))).toBeLessThan(limit);
  }
  for (const other of [
    { seed: key.seed, stream: 4n },
    { seed: key.seed + 1n, stream: 3n },
    { seed: key.seed ^ (1n << 63n), stream: 3n },
    { seed: key.seed, stream: 3n + (1n << 63n) },
  ]) {
    expect(Math.abs(correlationZ(x, valuesOf(fill, 'float32', 1 << 18, other)))).toBeLessThan(limit);
  }
});

describe('the tests can fail', () => {
  const z = () => Float64Array.from(valuesOf({ kind: 'normal', mean: 0, std: 1 }, 'float32', n, key));
  const worst = (x: Float64Array) => Math.max(...Object.values(normalMoments(x)).map(Math.abs));

  test.each<[string, (x: Float64Array) => Float64Array]>([
    ['zeros', (x) => x.fill(0)],
    ['a std one percent off', (x) => x.map((v) => v * 1.01)],
    ['a shifted mean', (x) => x.map((v) => v + 0.01)],
    ['a uniform of the same variance', (x) => x.map((_, i) => Math.sqrt(12) * ((i + 0.5) / n - 0.5))],
    ['clipped tails', (x) => x.map((v) => Math.max(-3, Math.min(3, v)))],
  ])('moments catch %s', (_, mutate) => {
    const value = worst(mutate(z()));
    expect(Number.isNaN(value) || value > limit).toBe(true);
  });

  test.each<[string, (x: Float64Array) => Float64Array]>([
    ['zeros', (x) => x.fill(0)],
    ['a std two percent off', (x) => x.map((v) => v * 1.02)],
    ['a gap', (x) => x.map((v) => (v > 1 && v < 1.02 ? v + 0.02 : v))],
  ])('KS catches %s', (_, mutate) => {
    expect(ks(mutate(z()), normalCdf)).toBeGreaterThan(ksLimit);
  });

  test('PyTorch’s wrap of b to a is caught in bfloat16', () => {
    const x = valuesOf({ kind: 'uniform', a: 0, b: 1 }, 'bfloat16', 1 << 22, key);
    let mean = 0;
    // A third of what is now the largest value would have rounded up to 1.
    let top = 0;
    for (const v of x) mean += v === 1 - 2 ** -8 && top++ % 3 === 0 ? 0 : v;
    expect(Math.abs(mean / x.length - 0.5)).toBeGreaterThan(limit / Math.sqrt(12 * x.length) + 2e-5);
  });

  test('b included is caught', () => {
    const x = valuesOf({ kind: 'uniform', a: 0, b: 1 }, 'bfloat16', n, key);
    const top = x.indexOf(1 - 2 ** -8);
    expect(top).toBeGreaterThan(0);
    x[top] = 1;
    expect(outside(x, 0, 1)).toBe(1);
  });

  test('a wrong fan is caught', () => {
    const w = empty([400, 300]);
    init.kaiming_normal_(w, { generator: new Generator({ seed: 1 }) });
    const by = (fan: number) => worst(Float64Array.from(toFloat32Array(w), (v) => v / Math.sqrt(2 / fan)));
    expect(by(300)).toBeLessThan(limit);
    expect(by(400)).toBeGreaterThan(limit);
  });
});
