import { expect, test } from 'vitest';
import { InputError } from '../../lib/core/errors.js';
import { init } from '../../lib/index.js';
import { isTorchKey, noKey, type TorchKey } from '../../lib/native/addon.js';
import { torchKeys } from '../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../lib/plan/plan.js';
import { Generator } from '../../lib/random/generator.js';
import { empty } from '../../lib/tensor/tensor.js';

const planned = Array.from({ length: 1500 }, (_, i): PlannedTensor => {
  return { name: `t${i}`, shape: [20], dtype: 'float32', initializer: 'normal' };
});

test("the engine torch's places are in memory that threads share, and each is its own", () => {
  const tensors = resolvePlan({ tensors: planned });
  const keys = torchKeys(5n, { tensors });
  const states = tensors.map((tensor): TorchKey['state'] => {
    const key = keys.of(tensor);
    if (!isTorchKey(key)) throw new Error('expected a place of the engine torch');
    return key.state;
  });
  // A copy for each worker would be 5 KB a tensor and a thread.
  const memories = new Set(states.map(({ buffer }) => buffer));
  expect(memories.size).toBe(2);
  for (const memory of memories) expect(memory).toBeInstanceOf(SharedArrayBuffer);
  const generator = new Generator({ engine: 'torch', seed: 5 });
  for (const [i, { fill }] of tensors.entries()) {
    expect(Buffer.compare(states[i] ?? Buffer.of(), generator.get_state()), `tensor ${i}`).toBe(0);
    generator.nextKey(fill, 'float32', 20);
  }
});

test('the engine torch goes on where init.*_ would, also past bounds that are equal', () => {
  const tensors = resolvePlan({
    tensors: [
      { name: 'a', shape: [20], dtype: 'bfloat16', initializer: { init: 'trunc_normal', a: 1, b: 1 } },
      { name: 'b', shape: [20], dtype: 'float32', initializer: 'normal' },
    ],
  });
  const draws = tensors.map(({ name, shape, initializer }) => ({ tensor: name, shape, initializer }));
  const generator = new Generator({ engine: 'torch', seed: 5 });
  init.trunc_normal_(empty([20]), { a: 1, b: 1, generator });
  for (const plan of [{ tensors }, { tensors, draws }]) {
    const [a, b] = tensors.map((tensor) => torchKeys(5n, plan).of(tensor));
    expect(a).toBe(noKey);
    expect(b).toEqual({ state: generator.get_state(), total: 20 });
  }
});

test('bounds that nothing meets are an error that names the tensor', () => {
  const far = { init: 'trunc_normal', std: 1e-7, a: 1, b: 2 } as const;
  const tensors = resolvePlan({ tensors: [{ name: 'far', shape: [10], dtype: 'float32', initializer: far }] });
  expect(() => torchKeys(5n, { tensors })).toThrow(InputError);
  expect(() => torchKeys(5n, { tensors })).toThrow(/^tensor "far": .* within 100,000 draws/);
});

test('draws that make no sense are refused in the name of their tensor', () => {
  const tensors = resolvePlan({ tensors: planned.slice(0, 1) });
  const [tensor] = tensors;
  if (tensor === undefined) throw new Error('expected a tensor');
  expect(() => torchKeys(5n, { tensors, draws: [] }).of(tensor)).toThrow(InputError);
  expect(() => torchKeys(5n, { tensors, draws: [] }).of(tensor)).toThrow(/^tensor "t0": expected a draw of it/);
  const without = [{ tensor: 't0', initializer: 'normal' }] as never;
  expect(() => torchKeys(5n, { tensors, draws: without })).toThrow(InputError);
  expect(() => torchKeys(5n, { tensors, draws: without })).toThrow(
    /^tensor "t0": resolve: expected an array .* for shape/,
  );
});
