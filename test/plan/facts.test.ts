import { expect, test } from 'vitest';
import { definitionOf, type Initializer, names } from '../../lib/init/initializers.js';
import { resolve } from '../../lib/init/resolve.js';
import { factsOfFill, showInitializer, totalsOf } from '../../lib/plan/facts.js';
import { resolvePlan } from '../../lib/plan/plan.js';

test.each<[Initializer, string, number | undefined, number | undefined]>([
  ['zeros', 'value 0', 0, undefined],
  [{ init: 'constant', val: 1 / 3 }, 'value 0.333333', 0, undefined],
  [{ init: 'normal', std: 0.02 }, 'std 0.02', 0.02, undefined],
  [{ init: 'normal', mean: 1, std: 0.02 }, 'mean 1, std 0.02', 0.02, undefined],
  ['xavier_normal', 'std 0.5', 0.5, undefined],
  ['xavier_uniform', 'bound 0.866025', 0.5, Math.sqrt(0.75)],
  ['uniform', 'from 0 to 1', Math.sqrt(1 / 12), undefined],
  [{ init: 'trunc_normal', std: 0.02 }, 'std 0.02 within ±2', 0.02, 2],
  [{ init: 'trunc_normal', mean: 1, std: 0.5, a: 0, b: 1.5 }, 'mean 1, std 0.5 from 0 to 1.5', 0.5, undefined],
  ['eye', 'diagonal 1', undefined, undefined],
  [{ init: 'orthogonal', gain: 2 }, 'gain 2', undefined, undefined],
  [{ init: 'constant_rows', val: 1, start: 1, length: 2 }, 'diagonal 1', undefined, undefined],
  ['log_arange', 'ln of 1 to 4', undefined, undefined],
  ['log_of_uniform', 'ln of 1 to 16', undefined, undefined],
  ['dt_bias', 'softplus⁻¹ of 0.001 to 0.1', undefined, undefined],
  ['sinusoidal', 'sines of base 10000', undefined, undefined],
  [{ init: 'sparse', sparsity: 0.3 }, 'std 0.01, 2 of 4 zero', 0.01, undefined],
])('%j on 4 × 4', (initializer, text, std, bound) => {
  const facts = factsOfFill(resolve(initializer, [4, 4]));
  expect(facts.text).toBe(text);
  if (std === undefined) expect(facts.std).toBeUndefined();
  else expect(facts.std).toBeCloseTo(std, 12);
  if (bound === undefined) expect(facts.bound).toBeUndefined();
  else expect(facts.bound).toBeCloseTo(bound, 12);
});

test('every initializer can be shown', () => {
  for (const init of names) {
    const required = definitionOf(init).parameters.filter((parameter) => parameter.required);
    const initializer = {
      init,
      ...Object.fromEntries(required.map(({ name, kind }) => [name, kind === 'integer' ? 1 : 0.5])),
    } as Initializer;
    const shape = ['eye', 'sparse', 'sinusoidal'].includes(init) ? [4, 4] : [4, 4, 3];
    expect(factsOfFill(resolve(initializer, shape)).text).not.toBe('');
  }
});

test('an initializer is shown with the parameters given', () => {
  expect(showInitializer('zeros')).toBe('zeros');
  expect(showInitializer({ init: 'zeros' })).toBe('zeros');
  expect(showInitializer({ init: 'kaiming_normal', mode: 'fan_out', a: Math.sqrt(5) })).toBe(
    'kaiming_normal(mode=fan_out, a=2.23607)',
  );
});

test('totals are sums, over all and over each dtype', () => {
  const tensors = resolvePlan({
    tensors: [
      { name: 'a', shape: [2, 3], dtype: 'bfloat16', initializer: 'normal' },
      { name: 'b', shape: [], dtype: 'int64', initializer: 'zeros' },
      { name: 'c', shape: [0, 9], dtype: 'bfloat16', initializer: 'normal' },
    ],
  });
  expect(totalsOf(tensors)).toEqual({
    ...{ tensors: 3, parameters: 7, bytes: 20 },
    dtypes: { bfloat16: { tensors: 2, parameters: 6, bytes: 12 }, int64: { tensors: 1, parameters: 1, bytes: 8 } },
  });
});
