import { expect, test } from 'vitest';
import { fillPart } from '../../../lib/checkpoint/virtual/fill-part.js';
import { keysFor } from '../../../lib/plan/keys.js';
import { type Plan, resolvePlan } from '../../../lib/plan/plan.js';
import { applyRules, ruleOf } from '../../../lib/plan/rules/rules.js';

// Tensors that begin with the lengths of another's columns.

const shape = [700, 3, 130];
const plan: Plan = {
  tensors: [
    { name: 'lengths', shape: [1, 1, 130], dtype: 'float32', initializer: 'ones', norms: { of: 'weight', shape } },
    { name: 'weight', shape, dtype: 'float32', initializer: { init: 'uniform', a: -1, b: 1 } },
  ],
};

function made(of: Plan, engine: 'philox' | 'torch') {
  const tensors = resolvePlan(of);
  const keys = keysFor(engine, 7n, { tensors, draws: of.draws });
  const bytesOf = (index: number, begin = 0, count = tensors[index]?.elements ?? 0) => {
    const tensor = tensors[index];
    if (tensor === undefined) throw new Error('no such tensor');
    const values = new Float32Array(count);
    fillPart(tensor, new Uint8Array(values.buffer), begin, keys.of(tensor), 0);
    return values;
  };
  return { lengths: bytesOf(0), part: bytesOf(0, 100, 7), weight: bytesOf(1) };
}

const columnsOf = (weight: Float32Array) =>
  Array.from({ length: 130 }, (_, column) => {
    let sum = 0;
    for (let i = column; i < weight.length; i += 130) sum += (weight[i] ?? 0) ** 2;
    return Math.fround(Math.sqrt(sum));
  });

test.each(['philox', 'torch'] as const)('%s: each is the length of a column, whatever part is asked for', (engine) => {
  const { lengths, part, weight } = made(plan, engine);
  expect(Array.from(lengths)).toEqual(columnsOf(weight));
  expect(part).toEqual(lengths.slice(100, 107));
});

test('of float64 they are as exact as that, and as small', () => {
  const weight = {
    name: 'weight',
    shape: [5, 2],
    dtype: 'float64',
    initializer: { init: 'normal', std: 1e-60 },
  } as const;
  const norms = { of: 'weight', shape: weight.shape };
  const tensors = resolvePlan({
    tensors: [{ name: 'lengths', shape: [2], dtype: 'float64', initializer: 'ones', norms }, weight],
  });
  const keys = keysFor('philox', 7n, { tensors });
  const [lengths, w] = tensors.map((tensor) => {
    const values = new Float64Array(tensor.elements);
    fillPart(tensor, new Uint8Array(values.buffer), 0, keys.of(tensor), 0);
    return Array.from(values);
  });
  const lengthOf = (column: number) =>
    Math.sqrt((w ?? []).reduce((sum, x, i) => sum + (i % 2 === column ? x * x : 0), 0));
  expect(lengths).toEqual([lengthOf(0), lengthOf(1)]);
  expect(lengths?.[0]).toBeGreaterThan(0);
});

test('follows a rule for the other tensor, and goes where a rule names it', () => {
  const { lengths, weight } = made(applyRules(plan, [ruleOf('weight', 'normal', 'rule')]), 'philox');
  expect(Array.from(lengths)).toEqual(columnsOf(weight));
  expect(made(applyRules(plan, [ruleOf('lengths', 'zeros', 'rule')]), 'philox').lengths).toEqual(new Float32Array(130));
});

test.each([
  [{ of: 'other', shape }, 'norms.of'],
  [{ of: 'weight', shape: [700, 130] }, 'norms.of'],
  [{ of: 'weight', shape: [3, 700] }, 'norms.shape'],
])('refuses %j', (norms, place) => {
  const [lengths, weight] = plan.tensors;
  if (lengths === undefined || weight === undefined) throw new Error('two tensors');
  expect(() => resolvePlan({ tensors: [{ ...lengths, norms }, weight] })).toThrow(place);
});

test('refuses a weight that is made whole', () => {
  const orthogonal = applyRules(plan, [ruleOf('weight', 'orthogonal', 'rule')]);
  expect(() => resolvePlan(orthogonal)).toThrow('tensor "lengths": expected no orthogonal matrix in weight');
});
