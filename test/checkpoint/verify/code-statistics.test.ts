import { expect, test } from 'vitest';
import { codeCountsOf } from '../../../lib/checkpoint/verify/statistics/codes.js';
import { meanZ } from '../../../lib/checkpoint/verify/statistics/tails.js';
import { fillPart } from '../../../lib/checkpoint/virtual/fill-part.js';
import { twoSidedZ } from '../../../lib/core/normal.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { type ResolvedTensor, resolvePlan } from '../../../lib/plan/plan.js';

/** The score of each test, of N(0, 20²) in int8 of which each code is changed. */
function scoresOf(change: (code: number) => number): Record<string, number> {
  const initializer = { init: 'normal', std: 20 } as const;
  const [tensor] = resolvePlan({ tensors: [{ name: 'w', shape: [256, 256], dtype: 'int8', initializer }] });
  if (tensor === undefined) throw new Error('expected a tensor');
  const codes = new Int8Array(tensor.bytes);
  fillPart(tensor, new Uint8Array(codes.buffer), 0, philoxKeys(7n).of(tensor), 0);
  const counts = codeCountsOf(tensor);
  counts?.add(new Uint8Array(codes.map(change).buffer));
  return Object.fromEntries(counts?.scores().scores.map(({ test, z }) => [test, z]) ?? []);
}

test('codes that are shifted are so many standard errors off in their mean, codes that are spread in their deviation', () => {
  const own = scoresOf((code) => code);
  for (const z of Object.values(own)) expect(z).toBeLessThan(4);
  const shifted = scoresOf((code) => code + 2);
  expect(Math.abs((shifted.mean ?? 0) - (2 / 20) * 256)).toBeLessThan(4);
  expect(shifted.std).toBeLessThan(4);
  // Of a normal distribution, a standard error of the variance is √(2 / n) of it.
  const spread = scoresOf((code) => Math.round(code * 1.05));
  expect(Math.abs((spread.std ?? 0) - (1.05 ** 2 - 1) * Math.sqrt(256 ** 2 / 2))).toBeLessThan(6);
  expect(spread.mean).toBeLessThan(4);
});

test.each([
  [{ init: 'orthogonal', gain: 0.5 }, [64, 32], 'int8', 0n],
  [{ init: 'delta_orthogonal' }, [8, 5, 9], 'uint8', 0n],
  [{ init: 'delta_orthogonal' }, [4, 2, 5, 8], 'float4_e2m1fn', 0n],
  [{ init: 'sparse', sparsity: 0.9, std: 3 }, [19, 9], 'float8_e4m3fn', 0n],
  [{ init: 'sparse', sparsity: 0.9, std: 3 }, [20, 10], 'uint8', 0n],
  [{ init: 'log_of_uniform', a: 0.01, b: 16 }, [2], 'float8_e5m2', 200n],
  [{ init: 'trunc_normal', a: 1, b: 3 }, [], 'int8', 0n],
] as const)('%o of %j in %s follows its plan under each seed (from %i on)', (initializer, shape, dtype, first) => {
  const [tensor] = resolvePlan({ tensors: [{ name: 'w', shape: [...shape], dtype, initializer }] });
  if (tensor === undefined) throw new Error('expected a tensor');
  for (let seed = first; seed < first + 20n; seed++) {
    const codes = new Uint8Array(tensor.bytes);
    fillPart(tensor, codes, 0, philoxKeys(seed).of(tensor), 0);
    const counts = codeCountsOf(tensor);
    counts?.add(codes);
    for (const { test, z } of counts?.scores().scores ?? []) expect([test, seed, z < 5]).toEqual([test, seed, true]);
  }
});

test('values all of which are the outermost are as far out as they are seldom', () => {
  const grid = () => ({ values: Float64Array.of(1, 2, 3), weights: Float64Array.of(0.8, 0.17, 0.03) });
  expect(meanZ(50, 3, 1, grid, (x) => x)).toBeCloseTo(twoSidedZ(0.06), 6);
  expect(meanZ(50, 3, 10, grid, (x) => x)).toBeGreaterThan(7);
  expect(meanZ(50, 3.5, 1, grid, (x) => x)).toBe(50);
});

test.each([
  ['normal', { init: 'normal', std: 3 }, { init: 'normal', std: 3.3 }],
  ['sparse', { init: 'sparse', sparsity: 0.5, std: 3 }, { init: 'sparse', sparsity: 0.5, std: 3.3 }],
  ['orthogonal', { init: 'orthogonal', gain: 60 }, { init: 'orthogonal', gain: 66 }],
] as const)(
  '%s: a deviation that is a tenth off shows, however far the values of a dtype reach',
  (_name, planned, made) => {
    for (const dtype of ['float8_e4m3fn', 'float8_e5m2', 'float4_e2m1fn', 'int8', 'uint8'] as const) {
      const tensorOf = (initializer: typeof planned | typeof made) =>
        resolvePlan({ tensors: [{ name: 'w', shape: [256, 512], dtype, initializer }] })[0] as ResolvedTensor;
      const codes = new Uint8Array(tensorOf(made).bytes);
      fillPart(tensorOf(made), codes, 0, philoxKeys(7n).of(tensorOf(made)), 0);
      const counts = codeCountsOf(tensorOf(planned));
      counts?.add(codes);
      const score = counts?.scores().scores.find(({ test }) => test === 'std' || test === 'norm');
      expect([dtype, score?.test, (score?.z ?? 0) > 7]).toEqual([dtype, score?.test, true]);
    }
  },
);
