import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadPlan } from '../../lib/checkpoint.js';
import { InputError } from '../../lib/core/errors.js';
import { loadSource } from './load-source.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-source-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const gpt2 = { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2, vocab_size: 10, n_positions: 4 };

function file(name: string, content: unknown): string {
  const path = join(root, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

test('a config, the folder that holds it, and a recipe upon either are the same model', async () => {
  const config = file('gpt2/config.json', gpt2);
  const { tensors } = await loadSource({ input: config });
  expect(tensors).toHaveLength(16);
  const inputs = [
    join(root, 'gpt2'),
    file('a.json', { model: 'gpt2/config.json' }),
    file('b.json', { model: 'gpt2' }),
    file('c.json', { model: config }),
    file('d.json', { model: gpt2 }),
  ];
  for (const input of inputs) expect((await loadSource({ input })).tensors).toEqual(tensors);
});

test('a known name is the model of that name, even where there is a file; its path is not', async () => {
  file('resnet18', 'no JSON');
  const { tensors, config } = await loadSource({ input: 'resnet18', dtype: 'float16' });
  expect(tensors[0]).toMatchObject({ name: 'conv1.weight', dtype: 'float16' });
  expect(config).toBeUndefined();
  await expect(loadSource({ input: join(root, 'resnet18') })).rejects.toThrow(/expected JSON/);
  const { tensors: again } = await loadSource({ input: file('r.json', { model: 'resnet18', dtype: 'float16' }) });
  expect(again).toEqual(tensors);
});

test('a checkpoint in place of an input is told how it is taken', async () => {
  await expect(loadSource({ input: join(root, 'model.safetensors') })).rejects.toThrow(/which \{ like: path \} takes/);
});

test('rules come after what any input says, those of --init last', async () => {
  const rules = file('rules.json', { '*.bias': 'ones', '*.ln_f.*': { init: 'normal', dtype: 'float64' } });
  const input = file('r.json', { model: gpt2, overrides: { '*.bias': 'uniform' } });
  const { tensors, draws } = await loadSource({ input, rules, init: ['*.mlp.c_fc.bias=zeros'] });
  const of = (name: string) => tensors.find((tensor) => tensor.name === `transformer.${name}`);
  expect(of('h.0.ln_1.bias')?.initializer).toEqual({ init: 'ones' });
  expect(of('h.0.mlp.c_fc.bias')?.initializer).toEqual({ init: 'zeros' });
  expect(of('ln_f.weight')).toMatchObject({ dtype: 'float64', initializer: { init: 'normal' }, bytes: 64 });
  expect(of('wte.weight')?.initializer).toEqual({ init: 'normal', std: 0.02 });
  expect(draws?.slice(-2).map((draw) => draw.tensor)).toEqual(['transformer.ln_f.weight', 'transformer.ln_f.bias']);
});

test('a rank has its parts of the whole', async () => {
  const llama = {
    model_type: 'llama',
    ...{ hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 4, vocab_size: 8 },
  };
  const input = file('config.json', llama);
  const whole = (await loadSource({ input })).tensors;
  const { tensors } = await loadSource({ input, tp: 2, rank: 1 });
  expect(tensors.map(({ name, stream }) => [name, stream])).toEqual(whole.map(({ name, stream }) => [name, stream]));
  expect(tensors.find(({ name }) => name.endsWith('q_proj.weight'))).toMatchObject({
    shape: [8, 16],
    elements: 128,
    slice: { shape: [16, 16], ranges: [{ dim: 0, start: 8, length: 8 }] },
  });
  await expect(loadSource({ input: 'resnet18', tp: 2, rank: 0 })).rejects.toThrow(InputError);
});

test.each<[() => string, string]>([
  [() => join(root, 'none.json'), 'could not read '],
  [() => root, 'could not read '],
  [() => 'resnet19', 'models that are known by name (did you mean '],
  [() => 'resnet19', "(did you mean 'resnet18'?)"],
  [
    () => file('x.json', {}),
    'x.json: expected a Hugging Face config.json, which has a "model_type", or a recipe, which has',
  ],
  [() => file('x.json', { model: 'none.json' }), 'none.json: no such file'],
  [() => file('x.json', { model: { ...gpt2, n_head: 3 } }), 'x.json: model: n_embd: expected a multiple of n_head'],
  [() => file('x.json', { model: 'resnet19' }), 'could not read '],
  [() => file('x.json', { like: 'none.safetensors' }), 'none.safetensors'],
])('what cannot be read is refused', async (input, message) => {
  await expect(loadSource({ input: input() })).rejects.toThrow(InputError);
  await expect(loadSource({ input: input() })).rejects.toThrow(message);
});

test('a file that is missing from an index is no name of a model', async () => {
  file('model.safetensors.index.json', { weight_map: { a: 'resnet19' } });
  const missing = await loadSource({ like: root }).catch((error: Error) => error.message);
  expect(missing).toBe(`could not read ${join(root, 'resnet19')}: no such file or directory (ENOENT)`);
  const cwd = process.cwd();
  process.chdir(root);
  try {
    const here = await loadSource({ like: 'model.safetensors.index.json' }).catch((error: Error) => error.message);
    expect(here).toBe('could not read resnet19: no such file or directory (ENOENT)');
  } finally {
    process.chdir(cwd);
  }
});

test('errors of a recipe name its places, also for what braces and layers made', async () => {
  const refused = (recipe: object) => loadSource({ input: file('r.json', recipe) });
  await expect(refused({ tensors: { 'h.{0..2}': { shape: [2], init: 'eye' } } })).rejects.toThrow(
    /r\.json: tensors\["h\.\{0\.\.2\}"\]: eye: expected/,
  );
  const layers = { fc: { layer: 'Linear', in_features: 2, out_features: 2 } };
  await expect(refused({ layers, overrides: { 'fc.bias': 'eye' } })).rejects.toThrow(
    /r\.json: layers\["fc"\]: eye: expected/,
  );
  await expect(refused({ model: gpt2, overrides: { '*.bias': 'eye' } })).rejects.toThrow(
    /r\.json: tensor "transformer\.h\.0\.ln_1\.bias": eye: expected/,
  );
});

test.each([
  [
    'llama',
    `'llama' is a family of models: give a config.json that has its sizes, at the least {"model_type": "llama"}`,
  ],
  [
    'openai-community/gpt2',
    'give hf:openai-community/gpt2, or its address, https://huggingface.co/openai-community/gpt2, or the folder',
  ],
  ['huggingface.co/openai-community/gpt2/', 'its address, https://huggingface.co/openai-community/gpt2, or'],
  ['hf://openai-community/gpt2', 'expected hf:org/name or hf:org/name@revision, but received'],
  ['resnet19', 'models that are known by name (did you mean '],
])('%s is no file: the message says what it is', async (input, message) => {
  for (const given of [{ input }, { like: input }]) {
    await expect(loadSource(given)).rejects.toThrow(InputError);
    await expect(loadSource(given)).rejects.toThrow(message);
  }
});

test('what a caller changes after the call, in the input or the options, changes no plan', async () => {
  const config = { ...gpt2 };
  const rules: [string, { init: 'normal'; std: number }][] = [['*.bias', { init: 'normal', std: 1 }]];
  const [rule] = rules;
  if (rule === undefined) throw new Error('expected a rule');
  const options = { rules, dtype: 'float32' as 'float32' | 'float16' };
  const plans = await Promise.all(
    ([8, 16] as const).map((width) => {
      config.n_embd = width;
      rule[1].std = width;
      options.dtype = width === 8 ? 'float32' : 'float16';
      return loadPlan(config, options);
    }),
  );
  expect(plans.map(({ tensors }) => tensors[0])).toMatchObject([
    { shape: [10, 8], dtype: 'float32' },
    { shape: [10, 16], dtype: 'float16' },
  ]);
  const bias = plans.map(({ tensors }) => tensors.find(({ name }) => name.endsWith('.bias'))?.initializer);
  expect(bias).toEqual([
    { init: 'normal', std: 8 },
    { init: 'normal', std: 16 },
  ]);
});

test('an input that contains itself is refused', async () => {
  const input: Record<string, unknown> = { tensors: { a: [2] } };
  input.more = [input];
  await expect(loadPlan(input)).rejects.toThrow(/^input: expected what JSON can hold, but .*circular/i);
});

const llama = {
  ...{ model_type: 'llama', num_hidden_layers: 1, num_attention_heads: 2, hidden_size: 128, intermediate_size: 128 },
  vocab_size: 64,
};

test('a model to be quantized may stand at the address of a file', async () => {
  const path = file('m/config.json', llama);
  const { tensors } = await loadPlan(path, { quantize: 'fp8' });
  expect(tensors).toHaveLength(19);
  const address = pathToFileURL(path);
  for (const input of [address, address.href]) {
    expect((await loadPlan(input, { quantize: 'fp8' })).tensors).toEqual(tensors);
  }
});

test('a file with the name of a known model is quantized with the warning that it is not the model', async () => {
  file('llama-3-8b/config.json', llama);
  const cwd = process.cwd();
  process.chdir(root);
  try {
    for (const options of [{}, { quantize: 'fp8' }]) {
      const { tensors, warnings } = await loadPlan('llama-3-8b', options);
      expect(tensors[0]?.shape).toEqual([64, 128]);
      expect(warnings).toEqual([
        'llama-3-8b: what stands here under this name was read, and not the model that is known by it',
      ]);
    }
  } finally {
    process.chdir(cwd);
  }
});
