import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InputError } from '../../lib/core/errors.js';
import { readJson } from '../../lib/core/json.js';
import { storedBytes, storedDtypes, storedNames } from '../../lib/core/stored-dtype.js';
import { defaultOfName, hasCentredNorms } from '../../lib/plan/like-defaults.js';
import { modelNames, planOfConfig, planOfName } from '../../lib/plan/models.js';
import { loadSource } from './load-source.js';

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

test('what names do not tell is said, once for all of a kind', async () => {
  const entries: Entry[] = [
    ['a.weight', 'F32', [3]],
    ['b.weight', 'F32', [3]],
    ['logit_scale', 'F32', []],
    ['freqs', 'F32', [8]],
    ['fc.weight_scale_inv', 'F32', [2, 2]],
    ['position_ids', 'I64', [1, 8]],
  ];
  const { tensors, warnings } = await loadSource({ like: checkpoint(entries) });
  expect(tensors.map(({ fill }) => (fill.kind === 'constant' ? fill.value : fill.kind))).toEqual([
    1,
    1,
    0,
    0,
    'normal',
    0,
  ]);
  expect(warnings.map((warning) => warning.replace(/^.*safetensors: /, ''))).toEqual([
    '"a.weight" and 1 more: taken for the weight of a norm, since it has one dimension, and so ones',
    '"logit_scale" and 1 more: of no kind that its name tells, and so zeros',
    '"fc.weight_scale_inv": by its name of quantized weights, which random values do not suit',
    '"position_ids": zeros, which is all that nninit writes in int64',
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

// ---- the defaults against what the models' own code does ----

interface Cases {
  readonly tiny: readonly { readonly config?: Readonly<Record<string, unknown>>; readonly class: string }[];
}

const cases = JSON.parse(readFileSync(new URL('../fixtures/models/cases.json', import.meta.url), 'utf8')) as Cases;

const plans = [
  ...cases.tiny.flatMap(({ config, class: name }) => {
    if (config === undefined) return [];
    const text = JSON.stringify({ ...config, architectures: [name] });
    const plan = planOfConfig(readJson(Buffer.from(text), 'c'));
    return [[`${config.model_type} ${name}`, config.model_type, plan] as const];
  }),
  ...modelNames.map((name) => [name, undefined, planOfName(name)] as const),
];

test.each(plans)('%s: vectors by their names alone are what the reference makes them', (_, model_type, { tensors }) => {
  const names = new Set(tensors.map(({ name }) => name));
  for (const { name, shape, dtype, initializer } of tensors) {
    if (dtype === 'int64') continue;
    const found = defaultOfName(name, shape, (other) => names.has(other), hasCentredNorms(model_type));
    if (shape.length >= 2) expect(found, name).toEqual({ initializer: { init: 'normal', std: 0.02 } });
    else if (initializer === 'ones' || initializer === 'zeros') expect(found, name).toEqual({ initializer });
  }
});
