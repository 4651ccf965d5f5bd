import { expect, test } from 'vitest';
import { codeCountsOf } from '../../../lib/checkpoint/verify/statistics/codes.js';
import { fillPart } from '../../../lib/checkpoint/virtual/fill-part.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { resolvePlan } from '../../../lib/plan/plan.js';

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
