import { expect, test } from 'vitest';
import { InputError } from '../../lib/core/errors.js';
import type { Fill } from '../../lib/core/fill.js';
import { documentOf, readJson } from '../../lib/core/json.js';
import { planOfConfig, planOfName } from '../../lib/plan/models.js';
import { type Plan, resolvePlan } from '../../lib/plan/plan.js';
import { presetNames, presets } from '../../lib/plan/presets/index.js';
import { planOfRecipe, type RecipePlan } from '../../lib/plan/recipe/recipe.js';

const llama = {
  model_type: 'llama',
  ...{ hidden_size: 64, intermediate_size: 160, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2 },
  ...{ vocab_size: 100, tie_word_embeddings: false, attention_bias: true },
};
const gpt2 = { model_type: 'gpt2', n_layer: 3, n_embd: 64, n_head: 4, vocab_size: 100, n_positions: 16 };

const models = new Map<object, Plan>();
for (const config of [llama, gpt2]) {
  models.set(config, await planOfConfig(readJson(Buffer.from(JSON.stringify(config)), 'config.json')));
}
const modelOf = (config: object): Plan => {
  const plan = models.get(config);
  if (plan === undefined) throw new Error('expected llama or gpt2');
  return plan;
};

function withPreset(preset: unknown, model: Plan, more: object = {}): RecipePlan {
  const document = readJson(Buffer.from(JSON.stringify({ model: '-', preset, ...more })), 'r.json');
  return planOfRecipe(document, undefined, { plan: () => model, asksRules: false });
}

function fills(
  preset: unknown,
  model: object | Plan,
  warnings: readonly (string | RegExp)[] = [],
): (name: string) => Fill | undefined {
  const plan = withPreset(preset, 'tensors' in model ? (model as Plan) : modelOf(model));
  expect(plan.warnings).toHaveLength(warnings.length);
  for (const [i, warning] of warnings.entries()) expect(plan.warnings[i]).toMatch(warning);
  const resolved = new Map(resolvePlan(plan).map(({ name, fill }) => [name, fill]));
  return (name) => resolved.get(name);
}

/** normal(0.02) as what a Fill is, to 12 digits. */
const normal = (std: number) => ({ kind: 'normal', mean: 0, std: expect.closeTo(std, 12) as number });
const uniform = (bound: number) => ({
  kind: 'uniform',
  a: expect.closeTo(-bound, 12) as number,
  b: expect.closeTo(bound, 12) as number,
});
const truncated = (std: number, cut: number) => ({
  ...{ kind: 'trunc_normal', mean: 0, std: expect.closeTo(std, 12) as number },
  ...{ a: expect.closeTo(-cut, 12) as number, b: expect.closeTo(cut, 12) as number },
});
const constant = (value: number) => ({ kind: 'constant', value });

const layer = 'model.layers.1';

test('megatron: σ, and σ / √(2L) into the residual stream', () => {
  const fill = fills({ name: 'megatron', layers: 3, std: 0.01 }, llama);
  expect(fill('model.embed_tokens.weight')).toEqual(normal(0.01));
  expect(fill('lm_head.weight')).toEqual(normal(0.01));
  expect(fill(`${layer}.self_attn.q_proj.weight`)).toEqual(normal(0.01));
  expect(fill(`${layer}.self_attn.q_proj.bias`)).toEqual(constant(0));
  expect(fill(`${layer}.self_attn.o_proj.weight`)).toEqual(normal(0.01 / Math.sqrt(6)));
  expect(fill(`${layer}.mlp.down_proj.weight`)).toEqual(normal(0.01 / Math.sqrt(6)));
  expect(fill(`${layer}.mlp.up_proj.weight`)).toEqual(normal(0.01));
  expect(fill(`${layer}.input_layernorm.weight`)).toEqual(constant(1));
});

test("megatron on GPT-2 is GPT-2's own initialization", () => {
  const model = modelOf(gpt2);
  const own = resolvePlan(model).map(({ name, fill }) => [name, fill]);
  const made = resolvePlan(withPreset({ name: 'megatron', layers: 3 }, model)).map(({ name, fill }) => [name, fill]);
  expect(made).toEqual(own);
});

test('mup: hidden weights σ / √m, the outermost σ', () => {
  const wide = { name: 'mup', width: 64, base_width: 16 };
  const fill = fills(wide, llama);
  expect(fill('model.embed_tokens.weight')).toEqual(normal(0.02));
  expect(fill('lm_head.weight')).toEqual(normal(0.02));
  for (const name of ['self_attn.q_proj', 'self_attn.o_proj', 'mlp.gate_proj', 'mlp.down_proj']) {
    expect(fill(`${layer}.${name}.weight`)).toEqual(normal(0.01));
  }
  const scaled = fills({ ...wide, layers: 3 }, llama);
  expect(scaled(`${layer}.self_attn.q_proj.weight`)).toEqual(normal(0.01));
  expect(scaled(`${layer}.self_attn.o_proj.weight`)).toEqual(normal(0.01 / Math.sqrt(6)));
});

test('deepnorm: Xavier, with gain (8L)^-¼ but for queries and keys', () => {
  const fill = fills({ name: 'deepnorm', layers: 3 }, llama);
  const gain = 24 ** -0.25;
  expect(fill(`${layer}.self_attn.q_proj.weight`)).toEqual(normal(Math.sqrt(2 / 128)));
  expect(fill(`${layer}.self_attn.k_proj.weight`)).toEqual(normal(Math.sqrt(2 / (64 + 32))));
  expect(fill(`${layer}.self_attn.v_proj.weight`)).toEqual(normal(gain * Math.sqrt(2 / (64 + 32))));
  expect(fill(`${layer}.self_attn.o_proj.weight`)).toEqual(normal(gain * Math.sqrt(2 / 128)));
  for (const name of ['gate_proj', 'up_proj', 'down_proj']) {
    expect(fill(`${layer}.mlp.${name}.weight`)).toEqual(normal(gain * Math.sqrt(2 / (64 + 160))));
  }
  expect(fill('model.embed_tokens.weight')).toEqual(normal(0.02)); // the model's own
});

test('deepnorm leaves fused queries, keys and values, and says so', () => {
  fills({ name: 'deepnorm', layers: 3 }, gpt2, [
    /deepnorm leaves "transformer.h.0.attn.c_attn.weight" and 2 more as it is: values need another gain/,
  ]);
});

test('torchtitan: truncated normals, narrower by depth', () => {
  const fill = fills({ name: 'torchtitan', hidden: 64 }, llama);
  expect(fill('model.embed_tokens.weight')).toEqual(normal(1));
  expect(fill('lm_head.weight')).toEqual(truncated(1 / 8, 3 / 8));
  for (const name of ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'mlp.gate_proj']) {
    expect(fill(`${layer}.${name}.weight`)).toEqual(truncated(0.02, 2));
  }
  for (const l of [0, 1, 2]) {
    for (const name of ['self_attn.o_proj', 'mlp.up_proj', 'mlp.down_proj']) {
      expect(fill(`model.layers.${l}.${name}.weight`)).toEqual(truncated(0.02 / Math.sqrt(2 * (l + 1)), 2));
    }
  }
  expect(fill('model.norm.weight')).toEqual(constant(1));
});

test('roots are the nearest numbers there are, whatever the version of Node.js', async () => {
  const head = (hidden: number) => fills({ name: 'torchtitan', hidden }, llama)('lm_head.weight');
  // Powers of these, by `**`, have another last bit under Node.js 20 than under 24.
  expect(head(2048)).toMatchObject({ std: 0.02209708691207961, b: 3 * 0.02209708691207961 });
  expect(head(8192)).toMatchObject({ std: 0.011048543456039806 });
  const deep = fills({ name: 'deepnorm', layers: 4 }, llama, [/layers/])(`${layer}.self_attn.o_proj.weight`);
  expect(deep).toMatchObject({ std: 0.42044820762685725 * Math.sqrt(2 / 128) });
  const branch = fills({ name: 'fixup', blocks: 2 }, await planOfName('resnet18'), [/blocks/])('layer1.0.conv1.weight');
  expect(branch).toMatchObject({ std: (Math.SQRT2 * Math.SQRT1_2) / Math.sqrt(64 * 9) });
});

test('gpt_neox: small_init, and wang_init into the residual stream', () => {
  const document = {
    tensors: {
      'gpt_neox.embed_in.weight': [100, 64],
      'gpt_neox.layers.{0..2}.attention.query_key_value.weight': [192, 64],
      'gpt_neox.layers.{0..2}.attention.{query_key_value,dense}.bias': [64],
      'gpt_neox.layers.{0..2}.attention.dense.weight': [64, 64],
      'gpt_neox.layers.{0..2}.mlp.dense_4h_to_h.weight': [64, 256],
      'gpt_neox.final_layer_norm.weight': [64],
      'embed_out.weight': [100, 64],
    },
    preset: { name: 'gpt_neox', layers: 3, hidden: 64 },
  };
  const plan = planOfRecipe(readJson(Buffer.from(JSON.stringify(document)), 'r.json'));
  const resolved = new Map(resolvePlan(plan).map(({ name, fill }) => [name, fill]));
  expect(plan.warnings).toEqual([]);
  expect(resolved.get('gpt_neox.embed_in.weight')).toEqual(normal(Math.sqrt(2 / 320)));
  expect(resolved.get('embed_out.weight')).toEqual(normal(Math.sqrt(2 / 320)));
  expect(resolved.get('gpt_neox.layers.0.attention.query_key_value.weight')).toEqual(normal(Math.sqrt(2 / 320)));
  expect(resolved.get('gpt_neox.layers.2.attention.dense.weight')).toEqual(normal(2 / (3 * 8)));
  expect(resolved.get('gpt_neox.layers.2.mlp.dense_4h_to_h.weight')).toEqual(normal(2 / (3 * 8)));
  expect(resolved.get('gpt_neox.layers.2.attention.dense.bias')).toEqual(constant(0));
});

test('bert and dummy', () => {
  expect(fills('bert', gpt2)('transformer.wte.weight')).toEqual(truncated(0.02, 0.04));
  expect(fills({ name: 'bert', std: 0 }, gpt2)('transformer.wte.weight')).toEqual(constant(0));
  expect(fills('dummy', gpt2)('transformer.wte.weight')).toEqual(uniform(1e-3));
  expect(fills('dummy', gpt2)('transformer.ln_f.weight')).toEqual(constant(1));
});

const he = (shape: readonly number[]) => Math.sqrt(2 / (shape[0] ?? 1) / shape.slice(2).reduce((a, b) => a * b, 1));

test.each([
  ['resnet18', 8, 2, -1 / 2],
  ['resnet50', 16, 3, -1 / 4],
])('fixup on %s', async (name, blocks, convolutions, power) => {
  const fill = fills({ name: 'fixup', blocks, convolutions }, await planOfName(name));
  expect(fill('conv1.weight')).toEqual(normal(he([64, 3, 7, 7])));
  const first = convolutions === 2 ? [64, 64, 3, 3] : [64, 64, 1, 1];
  expect(fill('layer1.0.conv1.weight')).toEqual(normal(he(first) * blocks ** power));
  if (convolutions === 3) expect(fill('layer1.0.conv2.weight')).toEqual(normal(he([64, 64, 3, 3]) * blocks ** power));
  expect(fill(`layer1.0.conv${convolutions}.weight`)).toEqual(constant(0));
  expect(fill('layer2.0.downsample.0.weight')).toEqual(normal(he([convolutions === 2 ? 128 : 512, 64, 1, 1])));
  expect(fill('fc.weight')).toEqual(constant(0));
  expect(fill('fc.bias')).toEqual(constant(0));
});

test("fixup's scalars", () => {
  const tensors = {
    'layer1.0.bias{1a,1b,2a,2b}': [1],
    'layer1.0.scale': [1],
    'layer1.0.conv{1,2}.weight': [4, 4, 3, 3],
  };
  const document = readJson(Buffer.from(JSON.stringify({ tensors, preset: { name: 'fixup', blocks: 1 } })), 'r.json');
  const resolved = resolvePlan(planOfRecipe(document)).map(({ fill }) => fill);
  expect(resolved).toEqual([...Array(4).fill(constant(0)), constant(1), normal(he([4, 4, 3, 3])), constant(0)]);
});

test('siren: ±1/n first, then ±√(6/n)/ω; biases as they were', () => {
  const layers = {
    'net.0': { layer: 'Linear', in_features: 2, out_features: 256 },
    'net.{1,2}': { layer: 'Linear', in_features: 256, out_features: 256 },
  };
  const of = (more: object) => {
    const preset = { name: 'siren', roles: { first: 'net.0.weight' }, ...more };
    const plan = planOfRecipe(readJson(Buffer.from(JSON.stringify({ layers, preset })), 'r.json'));
    expect(plan.warnings).toEqual([]);
    return new Map(resolvePlan(plan).map(({ name, fill }) => [name, fill]));
  };
  expect(of({}).get('net.0.weight')).toEqual(uniform(1 / 2));
  expect(of({}).get('net.2.weight')).toEqual(uniform(Math.sqrt(6 / 256) / 30));
  expect(of({}).get('net.2.bias')).toEqual(uniform(1 / 16));
  expect(of({ omega: 10 }).get('net.1.weight')).toEqual(uniform(Math.sqrt(6 / 256) / 10));
});

test('presets come one after the other, before own initializers and overrides', () => {
  const plan = withPreset(['dummy', { name: 'deepnorm', layers: 3 }], modelOf(llama), {
    tensors: { 'extra.fc1.weight': { shape: [4, 4], init: 'normal', std: 5 }, 'x.fc2.weight': [4, 4] },
    overrides: { '*.v_proj.weight': 'zeros' },
  });
  const found = (name: string) => plan.tensors.find((tensor) => tensor.name === name)?.initializer;
  expect(found('model.embed_tokens.weight')).toEqual({ init: 'uniform', a: -1e-3, b: 1e-3 });
  expect(found(`${layer}.self_attn.q_proj.weight`)).toEqual({ init: 'xavier_normal' });
  expect(found(`${layer}.self_attn.v_proj.weight`)).toEqual({ init: 'zeros' });
  expect(found('extra.fc1.weight')).toEqual({ init: 'normal', std: 5 });
  expect(found('x.fc2.weight')).toEqual({ init: 'xavier_normal', gain: 24 ** -0.25 });
});

test('a preset that finds less than it is made for, or was told another depth, says so', () => {
  const preset = { name: 'megatron', layers: 4, roles: { mlp_out: ['*.down_proj2.weight'] } };
  const { warnings } = withPreset(preset, modelOf(llama));
  expect(warnings).toEqual([
    'r.json: preset: megatron finds no tensor in the role mlp_out (what leads out of a feed-forward layer, into the residual stream)',
    'r.json: preset: megatron is told of 4 layers, but the names are those of 3',
  ]);
  const odd = {
    tensors: { 'a.weight': [2, 2] },
    preset: { name: 'torchtitan', hidden: 2, roles: { mlp_in: 'a.weight' } },
  };
  const plan = () => planOfRecipe(readJson(Buffer.from(JSON.stringify(odd)), 'r.json'));
  expect(plan).toThrow('tensors["a.weight"]: expected an initializer');
});

test.each<[unknown, string]>([
  [7, 'preset: expected a preset: a name, or an object with the "name"'],
  ['depnorm', "preset: expected one of 'megatron', "],
  ['depnorm', "received 'depnorm' (did you mean 'deepnorm'?)"],
  [{ layers: 2 }, "preset.name: expected one of 'megatron', "],
  ['deepnorm', 'preset.layers: expected a whole number ≥ 1, but it is missing'],
  [[{ name: 'deepnorm', layers: 0 }], 'preset[0].layers: expected a whole number ≥ 1, but received 0'],
  [
    { name: 'fixup', blocks: 1, convolutions: 4 },
    'preset.convolutions: expected a whole number from 2 to 3, but received 4',
  ],
  [{ name: 'siren', omega: 0, roles: { first: 'a' } }, 'preset.omega: expected a finite number > 0, but received 0'],
  ['siren', 'preset.roles: expected an object from roles to globs, but it is missing'],
  [{ name: 'siren', roles: {} }, 'preset.roles.first: expected a glob, or an array of globs, but it is missing'],
  [
    { name: 'dummy', roles: { query: 'a' } },
    "preset.roles.query: unknown key, expected one of 'matrix', 'norm', 'bias'",
  ],
  [{ name: 'dummy', roles: { matrix: '{5..2}' } }, 'preset.roles.matrix: expected globs: '],
  [{ name: 'mup', width: 2 }, 'preset.base_width: expected a whole number ≥ 1, but it is missing'],
  [
    { name: 'dummy', bount: 1 },
    "preset.bount: unknown key, expected one of 'name', 'bound', 'roles' (did you mean 'bound'?)",
  ],
])('the preset %j is refused', (preset, message) => {
  const plan = () => withPreset(preset, modelOf(gpt2));
  expect(plan).toThrow(InputError);
  expect(plan).toThrow(`r.json: ${message}`.slice(message.startsWith('preset') ? 0 : 8));
});

test('each preset says where it comes from, and its rules are documented', () => {
  expect(presetNames).toEqual(Object.keys(presets));
  for (const preset of Object.values(presets)) {
    expect(preset.source.length).toBeGreaterThan(10);
    for (const { formula } of preset.rules) expect(formula).not.toBe('');
  }
});

test('healthy', () => {
  const of = fills('healthy', llama);
  expect(of('model.embed_tokens.weight')).toEqual(normal(1));
  expect(of('lm_head.weight')).toEqual(normal(3 / 8));
  expect(of('model.layers.2.self_attn.k_proj.weight')).toEqual(normal(1 / 8));
  expect(of('model.layers.0.self_attn.o_proj.weight')).toEqual(normal(Math.SQRT1_2 / 8));
  expect(of('model.layers.2.mlp.down_proj.weight')).toEqual(normal(Math.sqrt(1 / (2 * 3 * 160))));
  expect(of('model.norm.weight')).toEqual({ kind: 'constant', value: 1 });
  const tied = fills({ name: 'healthy', spread: 2 }, gpt2);
  expect(tied('transformer.wte.weight')).toEqual(normal(2 / 8));
});

test('healthy routers and experts', async () => {
  const config = {
    model_type: 'gpt_oss',
    ...{ hidden_size: 64, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2 },
    ...{ head_dim: 16, vocab_size: 100, num_local_experts: 4, num_experts_per_tok: 2 },
  };
  const plan = await planOfConfig(readJson(Buffer.from(JSON.stringify(config)), 'config.json'));
  const of = fills('healthy', plan);
  expect(of('model.layers.1.mlp.router.weight')).toMatchObject({ kind: 'orthogonal', gain: 1 });
  expect(of('model.layers.1.mlp.experts.gate_up_proj')).toEqual(normal(1 / 8));
  expect(of('model.layers.1.mlp.experts.down_proj')).toEqual(normal(Math.sqrt(1 / (2 * 2 * 32))));
  // (experts, outputs, inputs) there.
  const gemma = {
    ...config,
    model_type: 'gemma4_text',
    enable_moe_block: true,
    num_experts: 4,
    moe_intermediate_size: 24,
  };
  const small = { vocab_size_per_layer_input: 10, hidden_size_per_layer_input: 8 };
  const beside = fills('healthy', await planOfConfig(documentOf({ ...gemma, ...small }, 'config.json')));
  expect(beside('model.layers.1.router.proj.weight')).toMatchObject({ kind: 'orthogonal' });
  expect(beside('model.layers.1.experts.gate_up_proj')).toEqual(normal(1 / 8));
  expect(beside('model.layers.1.experts.down_proj')).toEqual(normal(Math.sqrt(1 / (2 * 2 * 24))));
  const granite = fills(
    'healthy',
    await planOfConfig(documentOf({ ...config, model_type: 'granitemoe' }, 'config.json')),
  );
  expect(granite('model.layers.0.block_sparse_moe.router.layer.weight')).toMatchObject({ kind: 'orthogonal' });
  expect(granite('model.layers.0.block_sparse_moe.input_linear.weight')).toEqual(normal(1 / 8));
  expect(granite('model.layers.0.block_sparse_moe.output_linear.weight')).toEqual(normal(Math.sqrt(1 / (2 * 32))));
  const mixtral = { ...config, model_type: 'mixtral' };
  const split = await planOfConfig(readJson(Buffer.from(JSON.stringify(mixtral)), 'config.json'));
  const within = fills('healthy', split);
  expect(within('model.layers.0.block_sparse_moe.gate.weight')).toMatchObject({ kind: 'orthogonal' });
  expect(within('model.layers.0.block_sparse_moe.experts.3.w2.weight')).toEqual(normal(Math.sqrt(1 / (2 * 32))));
});
