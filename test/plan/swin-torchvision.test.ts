import { expect, test } from 'vitest';
import { fillPart } from '../../lib/checkpoint/virtual/fill-part.js';
import { noKey } from '../../lib/native/addon.js';
import { planOfName } from '../../lib/plan/models.js';
import { resolvePlan } from '../../lib/plan/plan.js';

// What torchvision's source says of its Swin models: how many parameters they have, and the order of their draws.

test.each([
  ['swin_t', 28_288_354, 185],
  ['swin_s', 49_606_258, 353],
  ['swin_b', 87_768_224, 353],
] as const)('%s has the documented parameters', async (name, parameters, count) => {
  const tensors = resolvePlan(await planOfName(name));
  expect(tensors).toHaveLength(count);
  const own = tensors.filter(({ dtype }) => dtype !== 'int64');
  expect(own.reduce((sum, { elements }) => sum + elements, 0)).toBe(parameters);
});

test('a block draws its layers, then its table, then its MLP twice; the whole draws all linear layers again', async () => {
  const { draws } = await planOfName('swin_t');
  const kind = (initializer: unknown) =>
    typeof initializer === 'string' ? initializer : (initializer as { init: string }).init;
  const own = draws.filter(({ tensor }) => tensor.startsWith('features.1.0.'));
  const lines = own.map(({ tensor, initializer }) => `${tensor.replace('features.1.0.', '')} ${kind(initializer)}`);
  expect(lines).toEqual([
    'attn.qkv.weight kaiming_uniform',
    'attn.qkv.bias uniform',
    'attn.proj.weight kaiming_uniform',
    'attn.proj.bias uniform',
    'attn.relative_position_bias_table trunc_normal',
    'mlp.0.weight kaiming_uniform',
    'mlp.0.bias uniform',
    'mlp.3.weight kaiming_uniform',
    'mlp.3.bias uniform',
    'mlp.0.weight xavier_uniform',
    'mlp.0.bias normal',
    'mlp.3.weight xavier_uniform',
    'mlp.3.bias normal',
    'attn.qkv.weight trunc_normal',
    'attn.proj.weight trunc_normal',
    'mlp.0.weight trunc_normal',
    'mlp.3.weight trunc_normal',
  ]);
});

test('tables of distances count rows, then columns, from the farthest before', async () => {
  const tensors = resolvePlan(await planOfName('swin_t'));
  const tensor = tensors.find(({ name }) => name === 'features.7.1.attn.relative_position_index');
  if (tensor === undefined) throw new Error('no table');
  const values = new BigInt64Array(7 ** 4);
  fillPart(tensor, new Uint8Array(values.buffer), 0, noKey, 0);
  const expected: bigint[] = [];
  for (let from = 0; from < 49; from++) {
    for (let to = 0; to < 49; to++) {
      const rows = Math.floor(from / 7) - Math.floor(to / 7) + 6;
      expected.push(BigInt(rows * 13 + (from % 7) - (to % 7) + 6));
    }
  }
  expect(Array.from(values)).toEqual(expected);
});
