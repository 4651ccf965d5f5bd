// Tensors that a file joins of several of the model's.
import { describe, expect, test } from 'vitest';
import { loadPlan, type Plan, verifyCheckpoint, virtualCheckpoint, writeCheckpoint } from '../../../lib/checkpoint.js';
import { temporaryFolder } from '../temporary.js';

const root = temporaryFolder();

const truncated = { init: 'trunc_normal', std: 0.02 } as const;
const shape = [16, 12] as const;
/** What a constructor draws, in this order. */
const draws = ['gate', 'between', 'up', 'after'].map((tensor) => ({ tensor, shape, initializer: truncated }));

const tensor = (name: string) => ({ name, shape, dtype: 'float32', initializer: truncated }) as const;
const apart: Plan = { tensors: ['after', 'gate', 'up'].map(tensor), draws };
const joined: Plan = {
  tensors: [tensor('after'), { ...tensor('in'), shape: [32, 12], joinOf: ['gate', 'up'] }],
  draws,
};

/** The bytes of all tensors. */
async function valuesOf(plan: Plan, engine: 'philox' | 'torch'): Promise<Uint8Array> {
  const checkpoint = virtualCheckpoint(plan, { engine, seed: 3, format: 'raw' });
  const files = checkpoint.files.filter(({ name }) => name.endsWith('.bin'));
  return Buffer.concat(await Promise.all(files.map(({ name, size }) => checkpoint.read(name, 0, size))));
}

test('the engine torch draws each by itself, for any range', async () => {
  expect(await valuesOf(joined, 'torch')).toEqual(await valuesOf(apart, 'torch'));
  const checkpoint = virtualCheckpoint(joined, { engine: 'torch', seed: 3, format: 'raw' });
  const whole = await checkpoint.read('in.bin', 0, 32 * 12 * 4);
  for (const [begin, end] of [
    [0, 768],
    [767, 769],
    [765, 1000],
    [3, 1533],
    [768, 1536],
  ] as const)
    expect(await checkpoint.read('in.bin', begin, end)).toEqual(whole.subarray(begin, end));
});

test('the engine philox draws the whole from its own stream, as one', async () => {
  const { joinOf: _, ...plain } = { ...joined.tensors[1], ...{ name: 'in', shape: [32, 12] } } as Plan['tensors'][0];
  expect(await valuesOf(joined, 'philox')).toEqual(await valuesOf({ tensors: [tensor('after'), plain] }, 'philox'));
});

test.each(['philox', 'torch'] as const)('%s: what is written is verified', async (engine) => {
  await writeCheckpoint(joined, root.path, { engine });
  expect(await verifyCheckpoint(root.path, { plan: joined })).toMatchObject({ ok: true, origin: { engine } });
});

test.each([[['gate', 'up', 'after']], [[]], ['gate'], [[1, 2]]])(
  'a plan by hand that joins %j is refused',
  (joinOf) => {
    const plan = { ...joined, tensors: [{ ...tensor('in'), joinOf: joinOf as string[], shape: [32, 12] as const }] };
    expect(() => virtualCheckpoint(plan)).toThrow('joinOf');
  },
);

test.each([{ zeroRow: 5 }, { copyOf: 'after' }, { partOf: { tensor: 'gate', begin: 0 } }, { shape: [] }] as const)(
  'nor has it what its parts have not, %j',
  (other) => {
    const plan = {
      ...joined,
      tensors: [tensor('after'), { ...tensor('in'), shape, joinOf: ['gate', 'up'], ...other }],
    };
    expect(() => virtualCheckpoint(plan as Plan)).toThrow('joinOf');
  },
);

test.each([
  { initializer: 'orthogonal' },
  { dtype: 'float4_e2m1fn', shape: [2, 3] },
  { slice: { shape: [32, 24], ranges: [{ dim: 1, start: 0, length: 12 }] } },
] as const)('what is drawn of no such tensors, %j, is refused by the engine torch', (other) => {
  const plan = {
    ...joined,
    tensors: [{ ...tensor('in'), shape: [32, 12], joinOf: ['gate', 'up'], ...other }] as const,
  };
  expect(() => virtualCheckpoint(plan, { engine: 'torch' })).toThrow('tensor "in": expected a draw of it');
});

describe('a model that has such tensors', () => {
  const config = {
    ...{ model_type: 'dinov2', hidden_size: 12, num_hidden_layers: 1, num_attention_heads: 3, image_size: 28 },
    ...{ architectures: ['Dinov2Model'], use_swiglu_ffn: true },
  };
  const name = 'encoder.layer.0.mlp.weights_in.weight';

  test('a rule makes one of it', async () => {
    const plan = await loadPlan(config, { rules: { '*.weights_in.weight': 'orthogonal' } });
    const ruled = plan.tensors.find((one) => one.name === name);
    expect(ruled?.shape).toEqual([64, 12]);
    expect(ruled).not.toHaveProperty('joinOf');
    await writeCheckpoint(plan, root.path, { engine: 'torch' });
    expect(await verifyCheckpoint(root.path)).toMatchObject({ ok: true });
  });

  test('adapters are of the modules that the code has', async () => {
    const { tensors } = await loadPlan(config, { lora: { r: 2, targets: ['gate_proj'] } });
    expect(tensors.map(({ name, shape }) => [name.split('.').slice(-3).join('.'), shape])).toEqual([
      ['gate_proj.lora_A.weight', [2, 12]],
      ['gate_proj.lora_B.weight', [32, 2]],
    ]);
  });

  test('quantizing it is refused', async () => {
    await expect(loadPlan(config, { quantize: 'fp8' })).rejects.toThrow(
      `expected none where the file joins weights of the model's, as it does in '${name.replace(/weight$/, 'bias')}'`,
    );
  });
});
