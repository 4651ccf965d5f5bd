import { describe, expect, test } from 'vitest';
import type { Fill } from '../../lib/core/fill.js';
import * as init from '../../lib/init/init.js';
import { Generator } from '../../lib/random/generator.js';
import { empty } from '../../lib/tensor/tensor.js';
import { binomialZ, correlationZ, ks, normalCdf, normalMoments } from '../statistics.js';
import { valuesOf } from '../support.js';

// The tests of distributions.test.ts find what they are there for: each goes off on a mutant, and on none of the right values.

const n = 1 << 16;
const limit = 5;
const ksLimit = 2.69;
const standard: Fill = { kind: 'normal', mean: 0, std: 1 };
const unit: Fill = { kind: 'uniform', a: 0, b: 1 };
const normals = (stream = 0n) => valuesOf(standard, 'float32', n, { seed: 7n, stream });
const uniforms = (stream = 0n) => valuesOf(unit, 'float32', n, { seed: 7n, stream });

type Samples = ArrayLike<number>;

/** The largest departure of a moment. */
const moments = (z: Samples) => Math.max(...Object.values(normalMoments(z)).map(Math.abs));

/** The largest departure of a bit of 24-bit uniforms from half of the times. */
function bits(u: Samples): number {
  const counts = new Float64Array(24);
  for (let i = 0; i < u.length; i++) {
    const word = Math.round((u[i] as number) * 2 ** 24);
    for (let bit = 0; bit < 24; bit++) counts[bit] = (counts[bit] as number) + ((word >>> bit) & 1);
  }
  return Math.max(...Array.from(counts, (count) => Math.abs(binomialZ(count, u.length, 0.5))));
}

/** χ² over k equally probable bins, as a normal variable (Wilson & Hilferty 1931). */
function chiSquare(u: Samples, k = 100): number {
  const counts = new Float64Array(k);
  for (let i = 0; i < u.length; i++) {
    const bin = Math.min(k - 1, Math.floor((u[i] as number) * k));
    counts[bin] = (counts[bin] as number) + 1;
  }
  const expected = u.length / k;
  const x = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const spread = 2 / (9 * (k - 1));
  return Math.abs((Math.cbrt(x / (k - 1)) - 1 + spread) / Math.sqrt(spread));
}

/** The largest correlation at a lag up to 64. */
function lags(z: Samples): number {
  const x = Float64Array.from(z);
  let most = 0;
  for (let lag = 1; lag <= 64; lag++) most = Math.max(most, Math.abs(correlationZ(x, x.subarray(lag))));
  return most;
}

const streams = (z: Samples, other: Samples) => Math.abs(correlationZ(z, other));
const shape = (z: Samples) => (ks(z, normalCdf) * limit) / ksLimit;

describe('on the right values no test goes off', () => {
  test.each<[string, () => number]>([
    ['moments', () => moments(normals())],
    ['shape', () => shape(normals())],
    ['bits', () => bits(uniforms())],
    ['χ²', () => chiSquare(uniforms())],
    ['lags', () => lags(normals())],
    ['streams', () => streams(normals(), normals(1n))],
  ])('%s', (_, score) => {
    expect(score()).toBeLessThan(limit);
  });
});

describe('on mutants one does', () => {
  const kaiming = (mode: 'fan_in' | 'fan_out') => {
    const w = init.kaiming_normal_(empty([200, 400]), { mode, generator: new Generator({ seed: 3 }) });
    const std = Math.sqrt(2 / 400); // fan_in
    return Float64Array.from(w.data as Float32Array, (x) => x / std);
  };
  const stuck = (bit: number) => uniforms().map((u) => (Math.round(u * 2 ** 24) | (1 << bit)) / 2 ** 24);

  test.each<[string, () => number]>([
    ['zeros, by shape', () => shape(new Float32Array(n))],
    ['a tenth of zeros, by shape', () => shape(normals().map((z, i) => (i % 10 === 0 ? 0 : z)))],
    ['a std 3 % too large, by moments', () => moments(normals().map((z) => 1.03 * z))],
    ['a mean 0.03 off, by moments', () => moments(normals().map((z) => z + 0.03))],
    ['tails cut at 2.9, by moments', () => moments(normals().map((z) => Math.max(-2.9, Math.min(2.9, z))))],
    ['the other fan, by moments', () => moments(kaiming('fan_out'))],
    ['uniforms of the same variance, by moments', () => moments(uniforms().map((u) => (u - 0.5) * Math.sqrt(12)))],
    ['the lowest bit stuck, by bits', () => bits(stuck(0))],
    ['the highest bit stuck, by χ²', () => chiSquare(stuck(23))],
    ['a bin 5 % too full, by χ²', () => chiSquare(uniforms().map((u, i) => (i % 50 === 0 ? 0.505 : u)))],
    ['every value twice, by lags', () => lags(normals().map((_, i, all) => all[i >> 1] as number))],
    ['an echo of 5 % after 64, by lags', () => lags(normals().map((z, i, all) => z + 0.05 * (all[i - 64] ?? 0)))],
    ['a repeated stream, by streams', () => streams(normals(), normals())],
    [
      'a stream mixed into the next, by streams',
      () => {
        const first = normals();
        return streams(
          first,
          normals(1n).map((z, i) => z + 0.05 * (first[i] as number)),
        );
      },
    ],
  ])('%s', (_, score) => {
    expect(score()).toBeGreaterThan(limit);
  });

  test('b included: never by the fill, often without its clamp', () => {
    const [a, b] = [-0.5, -0.25];
    const count = 1 << 16;
    const narrow = valuesOf({ kind: 'uniform', a, b }, 'bfloat16', count, { seed: 7n, stream: 0n });
    expect(narrow.some((x) => x >= b)).toBe(false);
    // As PyTorch rounds before it puts b elsewhere: to nearest, without looking.
    const wide = valuesOf({ kind: 'uniform', a, b }, 'float32', count, { seed: 7n, stream: 0n });
    const rounded = wide.map((x) => Math.round(x * 2 ** 10) / 2 ** 10);
    expect(rounded.some((x) => x >= b)).toBe(true);
  });
});
