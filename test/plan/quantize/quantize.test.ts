import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadPlan } from '../../../lib/checkpoint.js';
import { InputError } from '../../../lib/core/errors.js';
import { targetList } from '../../../lib/plan/quantize/match.js';
import { quantizationNames } from '../../../lib/plan/quantize/names.js';
import { quantizationPresets } from '../../../lib/plan/quantize/quantize.js';
import { processorTime } from '../../support.js';

const llama = {
  model_type: 'llama',
  hidden_size: 256,
  intermediate_size: 512,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  vocab_size: 128,
};
const withSettings = (settings: unknown, others = {}) =>
  loadPlan({ ...llama, ...others, quantization_config: settings } as never);
const linear = (weights: unknown, others = {}) => ({
  quant_method: 'compressed-tensors',
  config_groups: { group_0: { targets: ['Linear'], weights } },
  ...others,
});

test.each([
  [
    { quant_method: 'bitsandbytes' },
    "input: quantization_config: expected a quant_method of 'fp8', 'compressed-tensors', ",
  ],
  [{ quant_method: 'gtpq', bits: 4 }, "but received 'gtpq' (did you mean 'gptq'?)"],
  [{ quant_method: 'vptq' }, "but received 'vptq'; a checkpoint of another kind"],
  ['fp8', 'quantization_config: expected an object, but received'],
  [
    { quant_method: 'gptq', bits: 3 },
    'quantization_config.bits: expected 4 or 8, the numbers of bits that nninit packs, but received 3',
  ],
  [
    { quant_method: 'gptq', bits: 4, dynamic: { '+:.*up_proj': { bits: 3 } } },
    'quantization_config.dynamic["+:.*up_proj"]: expected an object with bits (4 or 8) and group_size, or false, but received',
  ],
  [
    { quant_method: 'gptq', bits: 4, dynamic: { '-:(': {} } },
    'quantization_config: dynamic: expected a regular expression, but received "("',
  ],
  [
    { quant_method: 'gptq', bits: 8, checkpoint_format: 'marlin' },
    "quantization_config.checkpoint_format: expected 'gptq' or 'gptq_v2', but received 'marlin'",
  ],
  [
    { quant_method: 'gptq', bits: 4, group_size: 0 },
    'quantization_config.group_size: expected a whole number ≥ 1, or -1, but received 0',
  ],
  [
    { quant_method: 'awq', bits: 4, version: 'gemv' },
    "quantization_config.version: expected 'gemm', but received 'gemv'",
  ],
  [
    { quant_method: 'awq', bits: 4, group_size: 96 },
    'to be quantized it needs a multiple of 96 inputs, but there is 256',
  ],
  [
    { quant_method: 'fp8', modules_to_not_convert: ['('] },
    'modules_to_not_convert: expected a regular expression, but received "("',
  ],
  [
    { quant_method: 'fp8', modules_to_convert: ['model.embed_tokens'] },
    'quantization_config.modules_to_convert: expected no modules besides the linear layers, but received',
  ],
  [{ quant_method: 'fp8', weight_block_size: [0, 128] }, 'quantization_config.weight_block_size'],
  [
    { quant_method: 'modelopt', quant_algo: 'W4A8' },
    "quantization_config.quant_algo: expected 'NVFP4' or 'FP8', but received 'W4A8'",
  ],
  [
    linear(
      { num_bits: 4, type: 'int' },
      { format: 'pack-quantized', sparsity_config: { format: 'sparse-24-bitmask' } },
    ),
    "quantization_config.sparsity_config.format: expected 'dense': sparse weights are not written, but received",
  ],
  [linear({ num_bits: 4, type: 'int' }), "config_groups.group_0: expected one of 'float-quantized', "],
  [
    linear({ num_bits: 4, type: 'int' }, { format: 'float-quantized' }),
    "config_groups.group_0: weights: expected type 'float' and num_bits 8 for 'float-quantized', but received type 'int' and num_bits 4",
  ],
  [
    linear({ num_bits: 4, type: 'int', strategy: 'block', symmetric: false }, { format: 'pack-quantized' }),
    'to be quantized it needs a multiple of 8 rows of scales, whose zero points share words, but there is 2',
  ],
  [
    linear({ num_bits: 3, type: 'int' }, { format: 'pack-quantized' }),
    'weights.num_bits: expected 4 or 8, but received 3',
  ],
])('%j is refused', async (settings, message) => {
  const refused = withSettings(settings);
  await expect(refused).rejects.toThrow(InputError);
  await expect(refused).rejects.toThrow(message);
});

test.each([
  ['gptq', 1e-8, 'float32', 'a scale that float16 can hold, but there is 3.5'],
  ['awq', 1e30, 'float32', 'a scale that float16 can hold, but there is 3.5'],
  ['fp8', 1e-40, 'float32', 'a scale that has a reciprocal in float32, but there is 2.03'],
  ['nvfp4-pack-quantized', 1e-40, 'float32', 'a scale that has a reciprocal in float32, but there is 0'],
] as const)(
  '%s of weights of a standard deviation of %d is refused, as no file can hold its scale',
  async (quantize, std, dtype, message) => {
    const plan = loadPlan(llama, { quantize, dtype, rules: { '*proj.weight': { init: 'normal', std } } });
    await expect(plan).rejects.toThrow(message);
  },
);

/** Modules of a small model, and whether `fp8` without a list quantizes them. */
async function quantizedIn(config: object): Promise<(module: string) => boolean> {
  const { tensors } = await loadPlan({ ...llama, ...config } as never, { quantize: 'fp8' });
  const names = new Set(tensors.map(({ name }) => name));
  return (module) => {
    expect(names).toContain(`${module}.weight`);
    return names.has(`${module}.weight_scale_inv`);
  };
}

test('fp8 leaves out what transformers does: heads wherever they are, routers of a class of their own, and wo of T5', async () => {
  const vision = { hidden_size: 64, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2 };
  const llava = await quantizedIn({
    model_type: 'llava',
    text_config: llama,
    vision_config: { model_type: 'clip_vision_model', ...vision, image_size: 28, patch_size: 14 },
  });
  expect(llava('language_model.lm_head')).toBe(false);
  expect(llava('language_model.model.layers.0.mlp.up_proj')).toBe(true);

  const bert = await quantizedIn({
    model_type: 'bert',
    architectures: ['BertForMaskedLM'],
    tie_word_embeddings: false,
  });
  expect(bert('cls.predictions.decoder')).toBe(false);
  expect(bert('cls.predictions.transform.dense')).toBe(true);

  const t5 = await quantizedIn({ model_type: 't5', d_model: 64, d_ff: 128, d_kv: 16, num_heads: 4, num_layers: 1 });
  expect(t5('encoder.block.0.layer.1.DenseReluDense.wo')).toBe(false);
  expect(t5('encoder.block.0.layer.1.DenseReluDense.wi')).toBe(true);

  const llama4 = await quantizedIn({ model_type: 'llama4_text', num_local_experts: 4, intermediate_size_mlp: 256 });
  expect(llama4('model.layers.0.feed_forward.router')).toBe(false);
  expect(llama4('model.layers.0.feed_forward.shared_expert.up_proj')).toBe(true);
});

test('GPTQ and AWQ quantize classes that are derived from Linear, fp8 does not', async () => {
  const falcon = {
    model_type: 'falcon',
    hidden_size: 128,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    vocab_size: 128,
  };
  for (const quantize of ['gptq', 'awq']) {
    const { tensors } = await loadPlan(falcon as never, { quantize });
    expect(tensors.filter(({ name }) => name.endsWith('.qweight'))).toHaveLength(4);
  }
  await expect(loadPlan(falcon as never, { quantize: 'fp8' })).rejects.toThrow('modules that it is for');
});

// As Ministral 3 and Devstral 2 are published: the list has the names of the code, the file older ones.
test.each([
  [
    { quant_method: 'fp8', activation_scheme: 'static', weight_block_size: null },
    { modules_to_not_convert: ['model.vision_tower', 'model.multi_modal_projector', 'lm_head'] },
    'weight_scale_inv',
  ],
  [
    { quant_method: 'fp8', activation_scheme: 'static', weight_block_size: null },
    { modules_to_not_convert: ['vision_tower', 'multi_modal_projector', 'language_model.lm_head'] },
    'weight_scale_inv',
  ],
  [
    { quant_method: 'awq', bits: 4, group_size: 128, version: 'gemm' },
    { modules_to_not_convert: ['model.vision_tower', 'model.multi_modal_projector'] },
    'qweight',
  ],
  [
    { quant_method: 'modelopt', quant_algo: 'FP8' },
    { ignore: ['model.vision_tower*', 'model.multi_modal_projector*', 'lm_head'] },
    'weight_scale',
  ],
])('a list has the names of the file or those of the code: %j, %j', async (method, list, scale) => {
  const sizes = { hidden_size: 128, intermediate_size: 128, num_hidden_layers: 1, num_attention_heads: 2 };
  const config = {
    model_type: 'mistral3',
    text_config: { model_type: 'ministral3', ...sizes, num_key_value_heads: 2, head_dim: 64, vocab_size: 128 },
    vision_config: { model_type: 'pixtral', ...sizes, image_size: 32, patch_size: 16 },
    quantization_config: { ...method, ...list },
  };
  const { tensors } = await loadPlan(config as never);
  const quantized = tensors.flatMap(({ name }) =>
    name.endsWith(`.${scale}`) ? [name.slice(0, -scale.length - 1)] : [],
  );
  const layer = 'language_model.model.layers.0.';
  expect(quantized.map((name) => name.replace(layer, '')).sort()).toEqual([
    ...['mlp.down_proj', 'mlp.gate_proj', 'mlp.up_proj'],
    ...['self_attn.k_proj', 'self_attn.o_proj', 'self_attn.q_proj', 'self_attn.v_proj'],
  ]);
});

// What transformers 5.18 makes FP8Linear of: type(module) is nn.Linear, and not the module of the last parameter, nor what is tied or a head.
test("fp8 leaves the last layer of PyTorch's attention as it is, and without a list the module of the last parameter", async () => {
  const names = async (config: object) => {
    const { tensors } = await loadPlan(config as never, { quantize: 'fp8' });
    return tensors.flatMap(({ name }) => /^(.*)\.weight_scale_inv$/.exec(name)?.[1] ?? []);
  };
  const siglip = { model_type: 'siglip_vision_model', hidden_size: 128, intermediate_size: 128, num_hidden_layers: 1 };
  const vision = await names({ ...siglip, num_attention_heads: 2, image_size: 32, patch_size: 16 });
  expect(vision.filter((name) => /out_proj|head/.test(name))).toEqual([
    'encoder.layers.0.self_attn.out_proj',
    'head.mlp.fc1',
    'head.mlp.fc2',
  ]);
  const gemma = {
    model_type: 'gemma3n_text',
    ...{ hidden_size: 128, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 2, head_dim: 64 },
    ...{ vocab_size: 64, vocab_size_per_layer_input: 64, num_kv_shared_layers: 0, altup_num_inputs: 3 },
  };
  const last = 'model.altup_unembed_projections';
  expect((await names(gemma)).filter((name) => name.startsWith(last))).toEqual([`${last}.0`]);
  const quantization_config = { quant_method: 'fp8', modules_to_not_convert: ['lm_head'] };
  const { tensors } = await loadPlan({ ...gemma, quantization_config } as never);
  expect(tensors.map(({ name }) => name)).toContain(`${last}.1.weight_scale_inv`);
});

test.each(['gptq', 'awq'])('%s leaves a gate of one output as it is, which no word can hold', async (quantize) => {
  const experts = { num_experts: 4, moe_intermediate_size: 128, shared_expert_intermediate_size: 128 };
  const sizes = { hidden_size: 128, num_hidden_layers: 1 };
  const plan = await loadPlan({ ...llama, ...sizes, model_type: 'qwen2_moe', ...experts } as never, { quantize });
  const names = plan.tensors.map(({ name }) => name);
  expect(names).toContain('model.layers.0.mlp.shared_expert_gate.weight');
  expect(names).toContain('model.layers.0.mlp.shared_expert.gate_proj.qweight');
  expect(names).toContain('model.layers.0.mlp.experts.3.down_proj.qweight');
});

test('the last tensor of a file is quantized as its like are', async () => {
  const periods = { attn_layer_period: 2, attn_layer_offset: 1, expert_layer_period: 2, expert_layer_offset: 1 };
  const jamba = await quantizedIn({ model_type: 'jamba', num_hidden_layers: 2, num_experts: 8, ...periods });
  const last = ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((name) => jamba(`model.layers.1.self_attn.${name}`));
  expect(last).toEqual([true, true, true, true]);
});

test('each quantization that has a name has settings', () => {
  expect([...quantizationNames].sort()).toEqual(Object.keys(quantizationPresets).sort());
});

test('the option is for configs that are not quantized, and refuses other names', async () => {
  await expect(loadPlan(llama, { quantize: 'fp7' })).rejects.toThrow("loadPlan: expected one of 'fp8', ");
  await expect(
    loadPlan({ ...llama, quantization_config: { quant_method: 'fp8' } } as never, { quantize: 'fp8' }),
  ).rejects.toThrow("expected a config without one beside quantize 'fp8', but it is there");
  await expect(loadPlan('resnet18', { quantize: 'fp8' })).rejects.toThrow('expected the config.json of a model');
  await expect(loadPlan({ tensors: {} }, { quantize: 'fp8' })).rejects.toThrow('expected the config.json of a model');
  const { tensors } = await withSettings({});
  expect(tensors.every(({ codes }) => codes === undefined)).toBe(true);
});

test('the config that is written says how the model is quantized, and makes the same plan', async () => {
  const plan = await loadPlan(llama, { quantize: 'gptq', dtype: 'float16' });
  const config = JSON.parse(plan.config ?? '') as Record<string, unknown>;
  expect(config.quantization_config).toMatchObject({ quant_method: 'gptq', bits: 4, group_size: 128 });
  expect((await loadPlan(config)).tensors).toEqual(plan.tensors);
});

const int = { type: 'int', symmetric: false } as const;
// As compressed-tensors 0.18 makes them: zero points share words only where there are several.
test.each([
  [{ ...int, num_bits: 4, strategy: 'tensor' }, 'weight_zero_point', 'int8', [1]],
  [{ ...int, num_bits: 4, strategy: 'channel' }, 'weight_zero_point', 'int32', [64, 1]],
  [{ ...int, num_bits: 4, group_size: -1 }, 'weight_zero_point', 'int32', [64, 1]],
  [{ ...int, num_bits: 8, group_size: -1, symmetric: true }, 'weight_scale', 'float32', [512, 1]],
] as const)('the numbers that %j shares: %s', async (weights, name, dtype, shape) => {
  const { tensors } = await withSettings(linear(weights, { format: 'pack-quantized' }));
  const found = tensors.find((tensor) => tensor.name.endsWith(`up_proj.${name}`));
  expect(found).toMatchObject({ dtype, shape });
});

test('static activations that are not symmetric have a zero point', async () => {
  const inputs = async (symmetric: boolean) => {
    const input_activations = { num_bits: 8, type: 'int', strategy: 'tensor', dynamic: false, symmetric };
    const group_0 = { targets: ['Linear'], weights: { ...int, num_bits: 8, symmetric: true }, input_activations };
    const { tensors } = await withSettings(linear({}, { format: 'int-quantized', config_groups: { group_0 } }));
    return tensors.flatMap(({ name, dtype, shape, initializer }) =>
      name.includes('up_proj.input_') ? [{ name: name.replace(/.*input_/, ''), dtype, shape, initializer }] : [],
    );
  };
  const scale = { name: 'scale', dtype: 'float32', shape: [1], initializer: { init: 'constant', val: 1 } };
  const zero = { name: 'zero_point', dtype: 'int8', shape: [1], initializer: 'zeros' };
  expect(await inputs(false)).toEqual([scale, zero]);
  expect(await inputs(true)).toEqual([scale]);
});

// compressed-tensors takes for quantized what a target means and the list does not name, and then looks for its scale.
test.each([
  [{ model_type: 'llama' }, []],
  [{ model_type: 'bert' }, ['cls.predictions.decoder']],
  [{ model_type: 'bert', tie_word_embeddings: false }, []],
  [{ model_type: 'distilbert' }, ['vocab_projector']],
  [{ model_type: 'phimoe', num_local_experts: 2 }, ['model.layers.0.mlp.router']],
] as const)('the config that is written for %j names the linear layers that have no codes', async (model, others) => {
  const { config } = await loadPlan({ ...llama, ...model } as never, { quantize: 'float-quantized' });
  expect(JSON.parse(config ?? '').quantization_config.ignore).toEqual(['lm_head', ...others]);
});

test('embeddings, norms and the head stay, and rules reach weights by their own names', async () => {
  const plan = await loadPlan(llama, { quantize: 'awq', rules: { '*.q_proj.weight': { init: 'normal', std: 0.5 } } });
  const names = plan.tensors.map(({ name }) => name);
  expect(names.filter((name) => name.endsWith('.weight'))).toEqual([
    'model.embed_tokens.weight',
    'model.layers.0.input_layernorm.weight',
    'model.layers.0.post_attention_layernorm.weight',
    'model.norm.weight',
    'lm_head.weight',
  ]);
  const scaleOf = (module: string) =>
    plan.tensors.find(({ name }) => name.endsWith(`${module}.qweight`))?.codes?.scale ?? 0;
  expect(scaleOf('q_proj') / scaleOf('k_proj')).toBeCloseTo(25, 1);
});

test('a recipe quantizes the model that it names', async () => {
  const plan = await loadPlan({
    model: { ...llama, quantization_config: { quant_method: 'fp8' } },
    tensors: { extra: { shape: [2], init: 'ones' } },
  } as never);
  const dtypeOf = (end: string) => plan.tensors.find(({ name }) => name.endsWith(end))?.dtype;
  expect([dtypeOf('up_proj.weight'), dtypeOf('extra')]).toEqual(['float8_e4m3fn', 'float32']);
});

test('a quantization without modules that it is for is refused, and one of a config tells', async () => {
  await expect(loadPlan(llama, { quantize: 'mxfp4' })).rejects.toThrow(
    "quantize 'mxfp4': expected a model with modules that it is for, but there is none",
  );
  const { warnings } = await withSettings({ quant_method: 'mxfp4' });
  expect(warnings).toEqual(["input: quantization_config: it quantizes none of the model's modules"]);
});

test('what ModelOpt wrote into a file of its own is read with the config', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'nninit-modelopt-'));
  try {
    const file = join(dir, 'config.json');
    const other = join(dir, 'hf_quant_config.json');
    const quantization = { quant_algo: 'FP8', kv_cache_quant_algo: 'FP8', exclude_modules: ['lm_head', '*.o_proj'] };
    writeFileSync(file, JSON.stringify(llama));
    writeFileSync(other, JSON.stringify({ producer: { name: 'modelopt', version: '0.29' }, quantization }));
    const plan = await loadPlan(dir);
    const dtypeOf = (end: string) => plan.tensors.find(({ name }) => name.endsWith(end))?.dtype;
    expect(['q_proj', 'o_proj', 'lm_head'].map((name) => dtypeOf(`${name}.weight`))).toEqual([
      'float8_e4m3fn',
      'float32',
      'float32',
    ]);
    const config = JSON.parse(plan.config ?? '') as Record<string, unknown>;
    expect(config.quantization_config).toMatchObject({
      quant_method: 'modelopt',
      quant_algo: 'FP8',
      ignore: ['lm_head', '*.o_proj'],
    });
    expect((await loadPlan(config)).tensors).toEqual(plan.tensors);
    expect((await withSettings({ quant_method: 'modelopt', quantization })).tensors).toEqual(plan.tensors);
    // The config's own settings count; so does a file that quantizes no weights, and one that is none.
    writeFileSync(file, JSON.stringify({ ...llama, quantization_config: { quant_method: 'awq', bits: 4 } }));
    expect((await loadPlan(file)).tensors.some(({ name }) => name.endsWith('.qweight'))).toBe(true);
    writeFileSync(file, JSON.stringify(llama));
    writeFileSync(other, JSON.stringify({ quantization: { quant_algo: null, kv_cache_quant_algo: 'FP8' } }));
    expect((await loadPlan(file)).tensors.every(({ codes }) => codes === undefined)).toBe(true);
    writeFileSync(other, '{}');
    await expect(loadPlan(file)).rejects.toThrow(`${other}: quantization: expected an object, but received undefined`);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('hostile expressions take linear time', () => {
  const matches = targetList(['re:(a+)+$'], 'here');
  const begin = processorTime();
  expect(matches(`${'a'.repeat(5000)}b`, 'Linear')).toBe(false);
  expect(processorTime() - begin).toBeLessThan(2000);
});
