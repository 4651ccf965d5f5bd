import { describe, expect, test } from 'vitest';
import * as init from '../../lib/init/init.js';
import { resolve } from '../../lib/init/resolve.js';
import { Generator } from '../../lib/random/generator.js';
import { empty, type Tensor } from '../../lib/tensor/tensor.js';

const values = (tensor: Tensor) => [...tensor.data] as number[];

/** That two lists of numbers differ by at most `most` each. */
function near(found: readonly number[], expected: readonly number[], most: number): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, x] of found.entries()) expect(Math.abs(x - (expected[i] ?? Number.NaN))).toBeLessThanOrEqual(most);
}

const table = (shape: number[]) => empty(shape, { dtype: 'float64' });

describe('sinusoidal, beside numpy', () => {
  test('in halves, of an odd width, as Marian and Pegasus', () => {
    const expected = [
      [0, 0, 0, 1, 1],
      [0.8414709848078965, 0.025116222909773774, 0.0006309573026154199, 0.5403023058681398, 0.9996845379152098],
      [0.9092974268256817, 0.050216599387465206, 0.0012619143540422218, -0.4161468365471424, 0.9987383506934931],
    ].flat();
    near(values(init.sinusoidal_(table([3, 5]))), expected, 3e-15);
    expect(values(init.sinusoidal_(empty([3, 5])))).toEqual(expected.map(Math.fround));
  });

  test('in pairs, as DistilBERT', () => {
    const t = values(init.sinusoidal_(table([513, 6]), { order: 'pairs' }));
    const last = [
      0.07951849401287635, -0.996833390848202, -0.9794681913671593, 0.2015987651250518, 0.8925959512647498,
      0.45085748056983205,
    ];
    near(t.slice(-6), last, 1e-15 * 513);
  });

  test('with the last frequency 1/base, as Whisper', () => {
    const t = values(init.sinusoidal_(table([1500, 8]), { endpoint: true }));
    const last = [
      -0.4442206993380849, 0.4460778745657481, -0.08779177948265734, 0.14933925461877962, -0.8959173903209954,
      0.8949941507199389, -0.9961388474782361, 0.9887860168054093,
    ];
    near(t.slice(-8), last, 1e-15 * 1500);
    expect(t[8 + 3]).toBeCloseTo(1e-4, 10);
  });

  test('refuses what it cannot make', () => {
    expect(() => init.sinusoidal_(empty([3, 5]), { endpoint: true })).toThrow(/even number of columns ≥ 4/);
    expect(() => init.sinusoidal_(empty([4]))).toThrow(/2 dimensions/);
    expect(() => resolve('sinusoidal', [2 ** 20 + 2, 2])).toThrow(/at most 1048577 rows/);
    expect(resolve('sinusoidal', [2 ** 20 + 1, 2])).toMatchObject({ kind: 'sinusoid' });
  });
});

test('log_arange is the logarithm of the place along the last dimension', () => {
  const row = [0, Math.LN2, 1.0986122886681098, 1.3862943611198906, 1.6094379124341003];
  near(values(init.log_arange_(table([2, 5]))), [...row, ...row], 4e-16);
  expect(values(init.log_arange_(empty([5])))).toEqual(row.map(Math.fround));
  near(values(init.log_arange_(table([2]), 2)), row.slice(1, 3), 4e-16);
});

test('constant_rows fills rows, and zeros elsewhere', () => {
  expect(values(init.constant_rows_(empty([4, 2]), 3, 1, 2))).toEqual([0, 0, 3, 3, 3, 3, 0, 0]);
  expect(values(init.constant_rows_(empty([3]), Number.POSITIVE_INFINITY, 2, 1))).toEqual([
    0,
    0,
    Number.POSITIVE_INFINITY,
  ]);
  expect(() => init.constant_rows_(empty([4, 2]), 3, 1, 4)).toThrow(/at most 4 rows in all for length/);
});

test('dt_bias and log_of_uniform take one stream each, and values between their bounds', () => {
  const generator = new Generator({ seed: 3 });
  const dt = values(init.dt_bias_(table([1000]), 0.01, 0.2, 0.02, { generator })).map((b) => Math.log1p(Math.exp(b)));
  expect(Math.min(...dt)).toBeCloseTo(0.02, 12); // the floor
  expect(Math.max(...dt)).toBeLessThan(0.2);
  expect(Math.max(...dt)).toBeGreaterThan(0.19);
  const logs = values(init.log_of_uniform_(table([1000]), 2, 3, { generator })).map(Math.exp);
  const other = new Generator({ seed: 3 });
  init.normal_(empty([1]), { generator: other });
  // The same words as the uniform distribution's.
  near(logs, values(init.uniform_(table([1000]), 2, 3, { generator: other })), 2e-15);
  expect(() => init.log_of_uniform_(empty([1]), 3, 2)).toThrow(/a number ≤ b/);
  expect(() => init.dt_bias_(empty([1]), 0)).toThrow(/a finite number from 1e-300 to 10000 for min/);
});
