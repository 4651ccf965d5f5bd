import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InputError } from '../../lib/core/errors.js';
import { documentOf, readJson } from '../../lib/core/json.js';
import { configFields } from '../../lib/nn/families/config-fields.js';
import {
  activations,
  computedKeys,
  encoderReaders,
  formerLayerTypes,
  headDimReaders,
  layerTypes,
  mlpLayerTypes,
  ropeTypes,
} from '../../lib/nn/families/config-values.js';
import { loadPlan } from '../../lib/plan/load-plan.js';
import { planOfConfig } from '../../lib/plan/models.js';
import { resolvePlan } from '../../lib/plan/plan.js';

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/models/${name}`, import.meta.url), 'utf8')) as unknown;

interface Outcome {
  readonly config: string;
  readonly outcome: { readonly parameters: number; readonly dtype: string } | null;
}

const read = (text: string) => planOfConfig(readJson(Buffer.from(text), 'config.json'));

test.each(fixture('outcomes.json') as Outcome[])(
  '$config is taken or refused as transformers does',
  async ({ config, outcome }) => {
    if (outcome === null) {
      await expect(read(config)).rejects.toThrow(InputError);
      await expect(read(config)).rejects.toThrow(/^config\.json: [\w[\]".]+: expected [^\n]+$/);
      return;
    }
    const tensors = resolvePlan(await read(config));
    const parameters = tensors.reduce((sum, { elements }) => sum + elements, 0);
    expect({ parameters, dtype: tensors[0]?.dtype }).toEqual(outcome);
  },
);

test('the types of keys, those that are computed, the activations and kinds of layers are those of transformers', () => {
  expect({
    families: configFields,
    computed: computedKeys,
    activations,
    reads_encoder: encoderReaders,
    reads_head_dim: headDimReaders,
    layer_types: layerTypes,
    mlp_layer_types: mlpLayerTypes,
    former_layer_types: formerLayerTypes,
    rope_types: Object.keys(ropeTypes).sort(),
  }).toEqual(fixture('config_fields.json'));
});

test.each([
  [{ model_type: 'gemma4_text', layer_types: 'x' }, "layer_types: expected an array, but received 'x'"],
  [
    { model_type: 'gemma4_text', layer_types: ['x'] },
    "layer_types[0]: expected sliding_attention or full_attention, but received 'x'",
  ],
  [
    { model_type: 'mixtral', num_local_experts: 2 ** 53 },
    'num_local_experts: expected a whole number from 1 to 100000, but received 9007199254740992 (and 2 more)',
  ],
  [
    { model_type: 'bamba', attn_layer_indices: 2 ** 53 },
    'attn_layer_indices: expected an array of whole numbers, but received 9007199254740992',
  ],
  [
    { model_type: 'glm', pad_token_id: -(2 ** 60) },
    'pad_token_id: expected a whole number and > -2^53, or null, but received -1152921504606847000 (and 1 more)',
  ],
  [
    { model_type: 'granitemoeshared', shared_intermediate_size: 'x' },
    "shared_intermediate_size: expected a number, but received 'x'",
  ],
  [{ model_type: 'beit', patch_size: 0 }, 'patch_size: expected a whole number ≥ 1, or two of them, but received 0'],
  [
    { model_type: 'gemma3n_text', num_hidden_layers: 2 ** 53 },
    'num_hidden_layers: expected a whole number ≥ 0 and ≤ 10000, but received 9007199254740992 (and 1 more)',
  ],
])('a refusal says once what is expected: %j', async (config, message) => {
  await expect(loadPlan(config)).rejects.toMatchObject({ message: `input: ${message}` });
});

test('an object has 1 where a config.json must have 1.0: it is written so', async () => {
  const config = { model_type: 't5', num_layers: 1, initializer_factor: 1, layer_norm_epsilon: 1 };
  const text = (await planOfConfig(documentOf(config, 'input'))).config;
  expect(text).toContain('"initializer_factor": 1.0');
  expect(text).toContain('"layer_norm_epsilon": 1.0');
  expect(text).toContain('"num_layers": 1,');
  expect((await read(text)).config).toBe(text);
  await expect(loadPlan({ model: { ...config, initializer_factor: '1' } })).rejects.toThrow(InputError);
});

test('an object has lists of 1 where a config.json must have lists of 1.0: they are written so, and strings stay', async () => {
  const sizes = { hidden_size: 16, num_hidden_layers: 1, vocab_size: 20, state_size: 4, num_heads: 8, head_dim: 4 };
  const config = { model_type: 'mamba2', ...sizes, n_groups: 2, time_step_limit: [0, 0.5, 10], note: '7 [1, 2]' };
  const text = (await planOfConfig(documentOf(config, 'input'))).config;
  expect(text).toMatch(/"time_step_limit": ?\[\s*0\.0,\s*0\.5,\s*10\.0\s*\]/);
  expect(JSON.parse(text)).toMatchObject(config);
  await expect(loadPlan({ ...config, time_step_limit: ['0'] } as never)).rejects.toThrow(
    "time_step_limit: expected an array of numbers with a point or an exponent, such as 1.0, but received ['0']",
  );
});

test.each(['text_config', 'vision_config'])(
  'torch.float16 in a %s is written as newer versions read it too',
  async (part) => {
    const config = {
      model_type: 'llava',
      [part]: { torch_dtype: 'torch.float16', dtype: 'torch.half', num_hidden_layers: 2 },
    };
    const written = JSON.parse((await read(JSON.stringify(config))).config ?? '') as Record<string, unknown>;
    expect(written[part]).toEqual({ torch_dtype: 'float16', dtype: 'half', num_hidden_layers: 2 });
  },
);

test('labels are looked at in parts of a config, whose models classify nothing', async () => {
  const vision_config = { id2label: { neg: 'negative' } };
  await expect(loadPlan({ model_type: 'llava', vision_config } as never)).rejects.toThrow(
    'vision_config: id2label: expected an object from whole numbers to names',
  );
});

test('torch.float16, which older versions of transformers wrote, is written as newer ones read it', async () => {
  const { config, tensors } = await read(
    '{"model_type": "gpt2", "n_layer": 0, "architectures": ["GPT2Model"], "torch_dtype": "torch.float16"}',
  );
  expect(JSON.parse(config).torch_dtype).toBe('float16');
  expect(tensors[0]?.dtype).toBe('float16');
});

test.each([
  ['llama', 'LLaMAForCausalLM', 'LlamaForCausalLM'],
  ['phimoe', 'PhiMoEForCausalLM', 'PhimoeForCausalLM'],
  ['mpt', 'MPTForCausalLM', 'MptForCausalLM'],
  ['ernie4_5', 'Ernie4_5_ForCausalLM', 'Ernie4_5ForCausalLM'],
])('%s: a class that is published as %s is %s, and stays as it is written', async (model_type, published, named) => {
  const plan = await loadPlan({ model_type, architectures: [published] });
  expect(JSON.parse(plan.config ?? '').architectures).toEqual([published]);
  expect(plan.tensors).toEqual((await loadPlan({ model_type, architectures: [named] })).tensors);
});

test('a config without model_type is told by its class, and gets one', async () => {
  const config = {
    architectures: ['BertForMaskedLM'],
    hidden_size: 16,
    num_attention_heads: 4,
    num_hidden_layers: 1,
    vocab_size: 32,
  };
  const plan = await loadPlan(config);
  expect(plan.tensors[0]?.name).toBe('bert.embeddings.word_embeddings.weight');
  expect(JSON.parse(plan.config ?? '')).toEqual({ ...config, model_type: 'bert' });
  await expect(loadPlan({ architectures: ['NoSuchModel'] })).rejects.toThrow('model_type: expected one of');
});

test("Python's Infinity in a config of a family that is known stays as it is", async () => {
  const text =
    '{"model_type": "gpt2", "architectures": ["GPT2Model"], "n_layer": 1, "time_step_limit": [0.0, Infinity]}';
  expect((await read(text)).config).toBe(text);
});

test('transformers 5 writes Infinity as an object, and such configs are its own', async () => {
  const limit = '"time_step_limit": [0.0, {"__float__": "Infinity"}]';
  const mamba = `{"model_type": "mamba2", "num_hidden_layers": 1, ${limit}, "layer_norm_epsilon": {"__float__": "-Infinity"}}`;
  expect((await read(mamba)).config).toContain(limit);
  await expect(read(mamba.replace('-Infinity', 'inf'))).rejects.toThrow(
    'layer_norm_epsilon: expected a number with a point',
  );
  await expect(read(mamba.replace(limit, '"vocab_size": {"__float__": "NaN"}'))).rejects.toThrow('vocab_size: ');
});

test.each([
  [
    { hidden_act: 'gelu_neww' },
    "hidden_act: expected the name of an activation that transformers knows (did you mean 'gelu_new'?)",
  ],
  [{ rope_scaling: { type: 'su' } }, 'rope_scaling: expected a "rope_type" of \'default\', '],
  [{ rope_scaling: { type: 'dynamic' } }, `rope_scaling: expected "factor" beside the rope_type 'dynamic'`],
  [{ layer_types: ['full_attention'] }, 'layer_types: expected as many as num_hidden_layers says, 2 and not 1'],
  [{ per_layer_config: { 1: { intermediate_size: 4 } } }, 'per_layer_config: expected none'],
  [{ use_cache: 1 }, 'use_cache: expected true or false, but received 1'],
  [
    { eos_token_id: [1, null] },
    'eos_token_id: expected a whole number, written without a point, or an array of whole numbers, written without a point, or null',
  ],
  [{ rope_scaling: 'linear' }, "rope_scaling: expected an object, or null, but received 'linear'"],
])('%j: the refusal says what is wrong', async (keys, message) => {
  await expect(loadPlan({ model_type: 'llama', num_hidden_layers: 2, ...keys })).rejects.toThrow(message);
});

// As transformers 5.18 writes `per_layer_config` of more than ten layers: 15,120 parameters without it, 16,688 with it.
test('numbers of layers may begin with zeros', async () => {
  const sizes = { vocab_size: 20, hidden_size: 16, intermediate_size: 8, num_hidden_layers: 12, head_dim: 8 };
  const config = { model_type: 'gemma4_text', ...sizes, num_attention_heads: 2, num_key_value_heads: 1 };
  const parameters = async (more: object) => {
    const { tensors } = await loadPlan({ ...config, hidden_size_per_layer_input: 0, ...more } as never);
    const counted = tensors.filter(({ name }) => !name.endsWith('layer_scalar'));
    return counted.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  };
  const heads = { head_dim: 16 };
  expect(await parameters({ per_layer_config: { '05': heads, 11: heads } })).toBe(16_688);
  expect(await parameters({ per_layer_config: { 5: heads, 11: heads } })).toBe(16_688);
  expect(await parameters({ per_layer_config: {} })).toBe(15_120);
});
