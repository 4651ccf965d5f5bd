import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadPlan, openCheckpoint, verifyCheckpoint, writeCheckpoint } from '../../lib/checkpoint.js';

const { models } = JSON.parse(readFileSync('test/fixtures/quantized/cases.json', 'utf8')) as {
  readonly models: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};
const deepseek = { ...models.deepseek_v3, num_nextn_predict_layers: 1 };
const glm = {
  ...{
    model_type: 'glm4_moe',
    hidden_size: 64,
    intermediate_size: 96,
    moe_intermediate_size: 32,
    num_hidden_layers: 2,
  },
  ...{
    num_attention_heads: 4,
    num_key_value_heads: 2,
    n_routed_experts: 2,
    vocab_size: 128,
    num_nextn_predict_layers: 2,
  },
};

/** What the Hub's files of DeepSeek-V3 have in layer 61: README_WEIGHTS.md there, and the index. */
const ofLayer = [
  'eh_proj.weight',
  'embed_tokens.weight',
  'enorm.weight',
  'hnorm.weight',
  'input_layernorm.weight',
  'mlp.gate.e_score_correction_bias',
  'mlp.gate.weight',
  ...['down', 'gate', 'up'].map((name) => `mlp.shared_experts.${name}_proj.weight`),
  'post_attention_layernorm.weight',
  'self_attn.kv_a_layernorm.weight',
  'self_attn.kv_a_proj_with_mqa.weight',
  'self_attn.kv_b_proj.weight',
  'self_attn.o_proj.weight',
  'self_attn.q_a_layernorm.weight',
  'self_attn.q_a_proj.weight',
  'self_attn.q_b_proj.weight',
  'shared_head.head.weight',
  'shared_head.norm.weight',
];

test('the layers that predict further tokens have the names of the Hub, and what is quantized there is', async () => {
  const model = { ...deepseek, quantization_config: { quant_method: 'fp8' } };
  const { tensors, config } = await loadPlan({ model, mtp: true });
  const added = tensors.filter(({ name }) => name.startsWith('model.layers.2.'));
  const names = added.map(({ name }) => name.slice('model.layers.2.'.length));
  const plain = names.filter((name) => !name.endsWith('_scale_inv') && !name.includes('.experts.'));
  expect(plain.sort()).toEqual(ofLayer);
  expect(names.filter((name) => /\.experts\.\d+\.\w+\.weight$/.test(name))).toHaveLength(3 * 4);
  const wide = added.filter(
    ({ name, dtype, shape }) => name.endsWith('.weight') && shape.length === 2 && dtype === 'bfloat16',
  );
  expect(wide.map(({ name }) => name.slice('model.layers.2.'.length)).sort()).toEqual(
    ['eh_proj', 'embed_tokens', 'mlp.gate', 'shared_head.head'].map((name) => `${name}.weight`),
  );
  expect(added.find(({ name }) => name.endsWith('eh_proj.weight'))?.shape).toEqual([128, 256]);
  expect(JSON.parse(config ?? '')).toEqual(model);
  const two = await loadPlan({ model: glm, mtp: true });
  expect(two.tensors.filter(({ name }) => name.endsWith('.eh_proj.weight')).map(({ name }) => name)).toEqual([
    'model.layers.2.eh_proj.weight',
    'model.layers.3.eh_proj.weight',
  ]);
});

test("transformers' newer name for their number counts where the older one is missing", async () => {
  const { num_nextn_predict_layers: _, ...others } = glm;
  const countOf = async (keys: object) => {
    const { tensors } = await loadPlan({ model: { ...others, ...keys }, mtp: true });
    return tensors.filter(({ name }) => name.endsWith('.eh_proj.weight')).length;
  };
  expect(await countOf({ num_mtp_layers: 3 })).toBe(3);
  expect(await countOf({ num_mtp_layers: 3, num_nextn_predict_layers: 1 })).toBe(1);
  await expect(countOf({ num_mtp_layers: 0 })).rejects.toThrow(
    'num_mtp_layers: expected a whole number from 1 to 100 beside mtp, but received 0',
  );
});

/** The hash of each tensor's bytes. */
async function hashes(dir: string): Promise<Map<string, string>> {
  await using checkpoint = await openCheckpoint(dir);
  const found = new Map<string, string>();
  for (const { name } of checkpoint.tensors) {
    const { data } = await checkpoint.read(name);
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    found.set(name, createHash('sha256').update(bytes).digest('hex'));
  }
  return found;
}

test.each(['philox', 'torch'] as const)(
  'the other tensors are as without them, the shared ones equal (%s)',
  async (engine) => {
    const dir = mkdtempSync(join(tmpdir(), 'nninit-mtp-'));
    try {
      const [own, more] = [join(dir, 'own'), join(dir, 'more')];
      await writeCheckpoint(await loadPlan(deepseek), own, { seed: 5, engine });
      await writeCheckpoint(await loadPlan({ model: deepseek, mtp: true }), more, { seed: 5, engine });
      const [before, after] = [await hashes(own), await hashes(more)];
      for (const [name, hash] of before) expect(after.get(name), name).toBe(hash);
      expect(after.size).toBe(before.size + ofLayer.length + 12);
      expect(after.get('model.layers.2.embed_tokens.weight')).toBe(after.get('model.embed_tokens.weight'));
      expect(after.get('model.layers.2.shared_head.head.weight')).toBe(after.get('lm_head.weight'));
      expect(after.get('model.layers.2.self_attn.o_proj.weight')).not.toBe(
        after.get('model.layers.1.self_attn.o_proj.weight'),
      );
      expect(await verifyCheckpoint(more)).toMatchObject({ ok: true, differences: [] });
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
);

test.each([
  [
    { ...deepseek, num_nextn_predict_layers: 0 },
    'num_nextn_predict_layers: expected a whole number from 1 to 100 beside mtp, but received 0',
  ],
  [{ ...models.deepseek_v3 }, 'beside mtp, but it is missing'],
  [
    { ...models.llama, num_nextn_predict_layers: 1 },
    'mtp: expected a family whose layers for further tokens are known, but received llama',
  ],
  [{ ...deepseek, architectures: ['DeepseekV3Model'] }, 'mtp: expected the class with a head over the vocabulary'],
  ['resnet18', 'input: model: expected a config.json beside "mtp", but received \'resnet18\''],
])('%j is refused', async (model, message) => {
  await expect(loadPlan({ model, mtp: true } as never)).rejects.toThrow(message);
});

test('a recipe has them for a model only', async () => {
  await expect(loadPlan({ tensors: { w: { shape: [2], init: 'ones' } }, mtp: true } as never)).rejects.toThrow(
    'expected "model" beside "mtp", and no "lora"',
  );
});
