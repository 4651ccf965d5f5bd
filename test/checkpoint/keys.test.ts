import { expect, test } from 'vitest';
import { torch_keys } from '../../lib/checkpoint/keys.js';
import { type PlannedTensor, resolve_plan } from '../../lib/checkpoint/plan.js';
import { Generator } from '../../lib/generator.js';
import { is_torch_key, type TorchKey } from '../../lib/native.js';

const planned = Array.from({ length: 1500 }, (_, i): PlannedTensor => {
  return { name: `t${i}`, shape: [20], dtype: 'float32', initializer: 'normal' };
});

test("the engine torch's places are in memory that threads share, and each is its own", () => {
  const tensors = resolve_plan({ tensors: planned });
  const keys = torch_keys(5n, { tensors });
  const states = tensors.map((tensor): TorchKey['state'] => {
    const key = keys.of(tensor);
    if (!is_torch_key(key)) throw new Error('expected a place of the engine torch');
    return key.state;
  });
  // A copy for each worker would be 5 KB a tensor and a thread.
  const memories = new Set(states.map(({ buffer }) => buffer));
  expect(memories.size).toBe(2);
  for (const memory of memories) expect(memory).toBeInstanceOf(SharedArrayBuffer);
  const generator = new Generator({ engine: 'torch', seed: 5 });
  for (const [i, { fill }] of tensors.entries()) {
    expect(Buffer.compare(states[i] ?? Buffer.of(), generator.get_state()), `tensor ${i}`).toBe(0);
    generator.next_key(fill, 'float32', 20);
  }
});
