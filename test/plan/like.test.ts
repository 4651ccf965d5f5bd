import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InputError } from '../../lib/core/errors.js';
import { documentOf } from '../../lib/core/json.js';
import { storedBytes, storedDtypes, storedNames } from '../../lib/core/stored-dtype.js';
import { readHeaders } from '../../lib/formats/reader.js';
import { defaultOfName, settingsOf } from '../../lib/plan/like-defaults.js';
import { loadPlan } from '../../lib/plan/load-plan.js';
import { modelNames, planOfConfig, planOfName } from '../../lib/plan/models.js';
import { loadSource } from './load-source.js';
import { tinyCases } from './model-cases.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-like-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

type Entry = readonly [name: string, dtype: string, shape: readonly number[]];

const bits: Readonly<Record<string, number>> = {
  ...Object.fromEntries(Object.values(storedDtypes).map(({ tag, bytes, pack }) => [tag, (8 * bytes) / pack])),
};

/** A safetensors file of zeros, written by hand. */
function checkpoint(entries: readonly Entry[], name = 'model.safetensors'): string {
  let offset = 0;
  const header = entries.map(([tensor, dtype, shape]) => {
    const begin = offset;
    offset += shape.reduce((a, b) => a * b, bits[dtype] ?? 0) / 8;
    return `${JSON.stringify(tensor)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, offset] })}`;
  });
  const json = Buffer.from(`{${header.join(',')}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const path = join(root, name);
  writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(offset)]));
  return path;
}

const small: readonly Entry[] = [
  ['model.embed.weight', 'BF16', [6, 4]],
  ['model.norm.weight', 'F32', [4]],
  ['model.fc.weight', 'BF16', [4, 4]],
  ['model.fc.bias', 'F16', [4]],
  ['bn.weight', 'F32', [4]],
  ['bn.running_mean', 'F32', [4]],
  ['bn.running_var', 'F32', [4]],
  ['bn.num_batches_tracked', 'I64', []],
];

test('names, shapes and dtypes are those of the file, initializers those of the kind', async () => {
  const { tensors, warnings, config } = await loadSource({ like: checkpoint(small) });
  expect(tensors.map(({ name, dtype, shape, fill }) => [name, dtype, shape, fill])).toEqual([
    ['model.embed.weight', 'bfloat16', [6, 4], { kind: 'normal', mean: 0, std: 0.02 }],
    ['model.norm.weight', 'float32', [4], { kind: 'constant', value: 1 }],
    ['model.fc.weight', 'bfloat16', [4, 4], { kind: 'normal', mean: 0, std: 0.02 }],
    ['model.fc.bias', 'float16', [4], { kind: 'constant', value: 0 }],
    ['bn.weight', 'float32', [4], { kind: 'constant', value: 1 }],
    ['bn.running_mean', 'float32', [4], { kind: 'constant', value: 0 }],
    ['bn.running_var', 'float32', [4], { kind: 'constant', value: 1 }],
    ['bn.num_batches_tracked', 'int64', [], { kind: 'constant', value: 0 }],
  ]);
  expect([warnings, config]).toEqual([[], undefined]);
});

test('rules come before the defaults, those of --init last; --dtype changes what can be filled', async () => {
  writeFileSync(
    join(root, 'rules.json'),
    '{ "*": "ones", "*.weight": "xavier_normal", "*norm*": { "dtype": "float64" } }',
  );
  const like = checkpoint(small.filter(([name]) => !name.startsWith('bn.w')));
  const init = ['*norm*=zeros', 'model.fc.*={"init": "normal", "std": 2, "mean": 1}', 'x*=ones'];
  const { tensors, warnings } = await loadSource({ like, rules: join(root, 'rules.json'), init, dtype: 'float16' });
  expect(tensors.map(({ name, dtype, initializer }) => [name, dtype, initializer])).toEqual([
    ['model.embed.weight', 'float16', { init: 'xavier_normal' }],
    ['model.norm.weight', 'float64', { init: 'zeros' }],
    ['model.fc.weight', 'float16', { init: 'normal', mean: 1, std: 2 }],
    ['model.fc.bias', 'float16', { init: 'normal', mean: 1, std: 2 }],
    ['bn.running_mean', 'float16', { init: 'ones' }],
    ['bn.running_var', 'float16', { init: 'ones' }],
    ['bn.num_batches_tracked', 'int64', 'zeros'],
  ]);
  expect(warnings).toEqual(['--init x*=ones matches no tensor']);
});

test('every dtype can be had; random ones only where they can be filled', async () => {
  const entries = storedNames.map((dtype): Entry => [dtype, storedDtypes[dtype].tag, [2, 2]]);
  const { tensors, warnings } = await loadSource({ like: checkpoint(entries) });
  for (const { name, dtype, fill, bytes } of tensors) {
    expect(dtype).toBe(name);
    expect(bytes).toBe(storedBytes(dtype, 4));
    expect(fill.kind).toBe(['float16', 'bfloat16', 'float32', 'float64'].includes(name) ? 'normal' : 'constant');
  }
  expect(warnings).toHaveLength(storedNames.length - 4);
  expect(warnings[0]).toMatch(/model\.safetensors: "bool": zeros, which is all that nninit writes in bool$/);
});

test('what may be codes is zeros, and said so, unless a rule has its full name', async () => {
  const entries: Entry[] = [
    ['a.weight', 'F8_E4M3', [2, 2]],
    ['b.weight', 'F8_E4M3', [2, 2]],
    ['c', 'I32', [2]],
  ];
  const like = checkpoint(entries);
  const codes = (name: string) => [
    `${like}: "${name}": zeros, since float8_e4m3fn may be codes, which random values do not suit: a rule of the full name gives others`,
    `${like}: "c": zeros, which is all that nninit writes in int32`,
  ];
  const kinds = ({ tensors }: Awaited<ReturnType<typeof loadSource>>) => tensors.map(({ fill }) => fill.kind);
  const byOption = await loadSource({ like, init: ['*=normal', 'b.weight=normal'] });
  expect(kinds(byOption)).toEqual(['constant', 'normal', 'constant']);
  expect(byOption.warnings).toEqual(codes('a.weight'));
  const byRecipe = await loadPlan({ like, initializers: { 'a.weight': 'normal', '*.weight': 'uniform' } });
  expect(byRecipe.tensors.map(({ initializer }) => initializer)).toEqual([{ init: 'normal' }, 'zeros', 'zeros']);
  expect(byRecipe.warnings).toEqual(codes('b.weight'));
  const rules = [
    ['a.weight', 'normal'],
    ['a.weight', { dtype: 'float8_e5m2' }],
  ] as const;
  expect((await loadPlan({ like }, { rules })).warnings).toEqual(codes('b.weight'));
  await expect(loadPlan({ like, initializers: { c: 'normal' } })).rejects.toThrow(
    "expected 'zeros', which is all that nninit writes in int32",
  );
});

test('what names do not tell is said, once for all of a kind', async () => {
  const entries: Entry[] = [
    ['a.weight', 'F32', [3]],
    ['b.weight', 'F32', [3]],
    ['logit_scale', 'F32', []],
    ['freqs', 'F32', [8]],
    ['fc.weight_scale_inv', 'F32', [2, 2]],
    ['position_ids', 'I64', [1, 8]],
    ['attn.diagonal_decay', 'F32', [1, 2, 4, 4]],
  ];
  const { tensors, warnings } = await loadSource({ like: checkpoint(entries) });
  expect(tensors.map(({ fill }) => (fill.kind === 'constant' ? fill.value : fill.kind))).toEqual([1, 1, 0, 0, 1, 0, 1]);
  expect(warnings.map((warning) => warning.replace(/^.*safetensors: /, ''))).toEqual([
    '"a.weight" and 1 more: taken for the weight of a norm, since it has one dimension, and so ones',
    '"logit_scale" and 1 more: of no kind that its name tells, and so zeros',
    '"fc.weight_scale_inv": by its name a scale of quantized weights, which random values do not suit: ones',
    '"position_ids": zeros, which is all that nninit writes in int64',
    '"attn.diagonal_decay": by its name a table that the model computes from its config, which random values do not suit: ones',
  ]);
});

test('the config.json beside it is copied; a dtype that it names follows --dtype', async () => {
  const text = '{ "model_type": "gemma2", "torch_dtype": "bfloat16", "rms_norm_eps": 1e-06 }';
  writeFileSync(join(root, 'config.json'), text);
  const like = checkpoint(small);
  const asItIs = await loadSource({ like: root });
  expect(asItIs.config).toBe(text);
  expect(asItIs.tensors.find(({ name }) => name === 'model.norm.weight')?.initializer).toBe('zeros'); // 1 + weight
  expect(asItIs.tensors.find(({ name }) => name === 'bn.weight')?.initializer).toBe('ones');
  const { config } = await loadSource({ like, dtype: 'float32' });
  expect(config).toBe(text.replace('bfloat16', 'float32'));
  writeFileSync(join(root, 'config.json'), '{');
  await expect(loadSource({ like })).rejects.toThrow(/config\.json:1:2: expected JSON/);
});

test('an index and a folder with one do as well', async () => {
  checkpoint(small.slice(0, 3), 'model-00001-of-00002.safetensors');
  checkpoint(small.slice(3), 'model-00002-of-00002.safetensors');
  const weight_map = Object.fromEntries(
    small.map(([name], i) => [name, `model-0000${i < 3 ? 1 : 2}-of-00002.safetensors`]),
  );
  writeFileSync(
    join(root, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: { total_size: 1 }, weight_map }),
  );
  for (const like of [root, join(root, 'model.safetensors.index.json')]) {
    expect((await loadSource({ like })).tensors.map(({ name }) => name).sort()).toEqual(
      small.map(([name]) => name).sort(),
    );
  }
});

test('a recipe can build on a checkpoint: its initializers come before the defaults', async () => {
  mkdirSync(join(root, 'recipes'));
  checkpoint(small);
  const recipe = {
    like: '../model.safetensors',
    initializers: { '*.fc.*': 'uniform', extra: 'ones', '*.qq': 'zeros' },
    tensors: { extra: [2] },
    overrides: { 'bn.*': { dtype: 'float64' } },
  };
  const path = join(root, 'recipes/r.json');
  writeFileSync(path, JSON.stringify(recipe));
  const { tensors, warnings } = await loadSource({ input: path });
  expect(tensors.map(({ name, initializer }) => [name, initializer]).slice(2, 4)).toEqual([
    ['model.fc.weight', { init: 'uniform' }],
    ['model.fc.bias', { init: 'uniform' }],
  ]);
  expect(tensors.at(-1)).toMatchObject({ name: 'extra', initializer: { init: 'ones' } });
  const dtypeOf = (wanted: string) => tensors.find(({ name }) => name === wanted)?.dtype;
  expect([dtypeOf('bn.weight'), dtypeOf('bn.num_batches_tracked')]).toEqual(['float64', 'int64']);
  expect(warnings).toEqual([`${path}: initializers["*.qq"] matches no tensor`]);
});

test('what is no checkpoint, and what is no rule, is refused', async () => {
  const like = checkpoint(small);
  await expect(loadSource({ like: join(root, 'no.safetensors') })).rejects.toThrow(InputError);
  await expect(loadSource({ like, init: ['zeros'] })).rejects.toThrow('--init zeros: expected GLOB=INITIALIZER');
  await expect(loadSource({ like, init: ['*=zeroes'] })).rejects.toThrow(
    "--init *=zeroes: expected one of 'uniform', ",
  );
  await expect(loadSource({ like, init: ['*={"init": "normal", "std": -1}'] })).rejects.toThrow(
    '--init *={"init": "normal", "std": -1}: std: expected a finite number ≥ 0, but received -1',
  );
  await expect(loadSource({ like, init: ['*={"init"'] })).rejects.toThrow('--init *={"init":1:8: expected JSON');
  await expect(loadSource({ like, rules: join(root, 'none.json') })).rejects.toThrow(/could not read .*none\.json/);
  writeFileSync(join(root, 'list.json'), '[]');
  await expect(loadSource({ like, rules: join(root, 'list.json') })).rejects.toThrow(
    /list\.json: expected an object from globs to initializers, but received \[\]/,
  );
});

// From the models' _init_weights in transformers 5.18.
test.each([
  ['gemma3n', 'model.language_model.norm.weight', [4], 'ones'],
  ['gemma4', 'model.language_model.layers.0.input_layernorm.weight', [4], 'ones'],
  ['gemma4_text', 'model.norm.weight', [4], 'ones'],
  ['gemma3', 'language_model.model.norm.weight', [4], 'zeros'],
  ['gemma3', 'vision_tower.vision_model.encoder.layers.0.layer_norm1.weight', [4], 'ones'],
  ['gemma3', 'multi_modal_projector.mm_soft_emb_norm.weight', [4], 'zeros'],
  ['gemma3', 'multi_modal_projector.mm_input_projection_weight', [4, 4], 'zeros'],
  ['qwen3_5', 'model.language_model.norm.weight', [4], 'zeros'],
  ['qwen3_5_moe', 'model.language_model.layers.0.self_attn.q_norm.weight', [4], 'zeros'],
  ['qwen3_5', 'model.language_model.layers.0.linear_attn.norm.weight', [4], 'ones'],
  ['qwen3_5', 'model.language_model.layers.0.linear_attn.dt_bias', [4], 'ones'],
  ['qwen3_5', 'model.visual.blocks.0.norm1.weight', [4], 'ones'],
  ['qwen3_5_text', 'model.merger.mlp.0.pre_norm.weight', [4], 'ones'], // MiniCPM-V 4.6 around it
  ['kimi_linear', 'model.layers.0.self_attn.dt_bias', [4], 'dt_bias'],
  ['kimi_linear', 'model.layers.0.self_attn.A_log', [1, 1, 4, 1], { init: 'log_of_uniform', a: 1, b: 16 }],
  ['qwen3_next', 'model.layers.0.linear_attn.norm.weight', [4], 'ones'],
  ['nemotron', 'model.norm.weight', [4], 'ones'],
  ['zaya', 'model.input_hidden_states_scale', [4], 'ones'],
  ['zaya', 'model.layers.0.post_mlp_residual_scale.residual_scale', [4], 'ones'],
  ['zaya', 'model.layers.1.mlp.gate.router_states_scale', [4], 'ones'],
  ['videoprism', 'video_model.vision_model.layernorm1.weight', [4], 'zeros'],
  ['videoprism_vision_model', 'spatial_layers.0.layernorm_after.weight', [4], 'zeros'],
  ['gpt_oss', 'model.layers.0.mlp.experts.gate_up_proj_bias', [2, 8], 'zeros'],
  ['gpt_oss', 'model.layers.0.mlp.experts.down_proj_bias', [2, 4], 'zeros'],
] as const)('%s: %s begins as the reference makes it', (model_type, name, shape, initializer) => {
  expect(defaultOfName(name, shape, () => false, settingsOf({ model_type }))).toEqual({ initializer });
});

test('the config beside it says how wide weights are, and which row is padding', async () => {
  const entries: Entry[] = [
    ['model.embed_tokens.weight', 'F32', [6, 4]],
    ['model.vision_tower.fc.weight', 'F32', [4, 4]],
    ['model.fc.weight', 'F32', [4, 4]],
    ['lm_head.weight', 'F32', [6, 4]],
  ];
  const like = checkpoint(entries);
  const stds = async (config: object) => {
    writeFileSync(join(root, 'config.json'), JSON.stringify({ model_type: 'any', ...config }));
    const { tensors } = await loadSource({ like });
    return tensors.map(({ fill, zeroRow }) => [fill.kind === 'normal' ? fill.std : fill.kind, zeroRow]);
  };
  const all = (std: number, tower = std, row?: number) => [
    [std, row],
    [tower, undefined],
    [std, undefined],
    [std, undefined],
  ];
  expect(await stds({})).toEqual(all(0.02));
  expect(await stds({ initializer_range: 0.5, pad_token_id: 2 })).toEqual(all(0.5, 0.5, 2));
  const nested = {
    text_config: { initializer_range: 0.1, pad_token_id: -1 },
    vision_config: { initializer_range: 0.3 },
  };
  expect(await stds(nested)).toEqual(all(0.1, 0.3, 5));
  expect(await stds({ pad_token_id: 0 })).toEqual(all(0.02, 0.02, 0));
  expect(await stds({ pad_token_id: -6 })).toEqual(all(0.02, 0.02, 0));
  expect(await stds({ pad_token_id: -7 })).toEqual(all(0.02));
  expect(await stds({ initializer_range: 'x', pad_token_id: 6 })).toEqual(all(0.02));
  expect(await stds({ initializer_range: 0, text_config: 7 })).toEqual(all(0.02));
});

test('scales of quantized weights are positive, with a warning', async () => {
  const entries: Entry[] = [
    ['fc.weight', 'F8_E4M3', [4, 4]],
    ['fc.weight_scale_inv', 'F32', [1, 1]],
    ['fc.zero_point', 'F32', [1, 1]],
  ];
  const { tensors, warnings } = await loadSource({ like: checkpoint(entries) });
  const values = tensors.map(({ name, fill }) => [name, fill]);
  expect(Object.fromEntries(values)).toEqual({
    'fc.weight': { kind: 'constant', value: 0 },
    'fc.weight_scale_inv': { kind: 'constant', value: 1 },
    'fc.zero_point': { kind: 'constant', value: 0 },
  });
  expect(warnings).toHaveLength(3);
});

test('a header alone, without its data, will do; a file that is cut off within them will not', async () => {
  const path = checkpoint(small);
  const bytes = readFileSync(path);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  writeFileSync(path, bytes.subarray(0, end));
  expect((await loadSource({ like: path })).tensors).toHaveLength(small.length);
  await expect(readHeaders(path)).rejects.toThrow('the file is cut off');
  writeFileSync(path, bytes.subarray(0, end + 4));
  await expect(loadSource({ like: path })).rejects.toThrow('the file is cut off');
});

// ---- the defaults against what the models' own code does ----

const plans = await Promise.all([
  ...tinyCases.flatMap(({ config, class: name }) => {
    if (config === undefined) return [];
    const plan = planOfConfig(documentOf({ ...config, architectures: [name] }, 'c'));
    const { model_type, text_config } = config;
    const text = text_config as { readonly model_type?: string } | undefined;
    const types = { model_type, text_config: { model_type: text?.model_type } };
    return [plan.then((known) => [`${model_type} ${name}`, types, known] as const)];
  }),
  ...modelNames.map(async (name) => [name, undefined, await planOfName(name)] as const),
]);

/** Names that do not say what they are of: right, with a warning. */
const guessed = /^features\.|^classifier\.0\.weight$|downsampling_layer\.0\.|^logit_/;

test.each(plans)('%s: vectors by their names alone are what the reference makes them', (_, types, { tensors }) => {
  const names = new Set(tensors.map(({ name }) => name));
  for (const { name, shape, dtype, initializer } of tensors) {
    if (dtype === 'int64') continue;
    const found = defaultOfName(name, shape, (other) => names.has(other), settingsOf(types));
    if (shape.length >= 2) expect([{ init: 'normal', std: 0.02 }, initializer], name).toContainEqual(found.initializer);
    else if (initializer === 'ones' || initializer === 'zeros') {
      expect(guessed.test(name) ? { initializer: found.initializer } : found, name).toEqual({ initializer });
    }
  }
});
