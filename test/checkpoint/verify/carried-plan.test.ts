// The plan that a checkpoint carries, and what verifying one makes of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPlan, type Plan, verifyCheckpoint, virtualCheckpoint, writeCheckpoint } from '../../../lib/checkpoint.js';
import { temporaryFolder } from '../temporary.js';

const root = temporaryFolder();

const gpt2 = { model_type: 'gpt2', n_layer: 2, n_embd: 8, n_head: 2, vocab_size: 10, n_positions: 4 };
const recipe = {
  layers: {
    body: { layer: 'Linear', in_features: 6, out_features: 4 },
    norm: { layer: 'BatchNorm1d', num_features: 4 },
  },
  tensors: { mix: { init: 'orthogonal', shape: [80, 70] }, rest: { init: 'normal', std: 0.5, shape: [50, 3] } },
};

/** Changes what a file's header says besides its tensors; what is undefined goes. */
function changeMetadata(path: string, change: Readonly<Record<string, string | undefined>>): void {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, object>;
  const text = Buffer.from(JSON.stringify({ ...header, __metadata__: { ...header.__metadata__, ...change } }));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([head, text, bytes.subarray(8 + length)]));
}

describe('what made a checkpoint is in it', () => {
  const cases = {
    'a name': ['resnet18', { dtype: 'float16' }],
    'a config': [gpt2, {}],
    'a config and rules': [
      gpt2,
      {
        rules: [
          ['*.bias', 'ones'],
          ['*.weight', { init: 'normal', std: 3 }],
        ],
      },
    ],
    'a recipe': [recipe, {}],
    'a recipe upon a config': [{ model: gpt2, overrides: { '*.bias': 'uniform' } }, {}],
  } as const;

  test.each(Object.entries(cases))('%s: verify needs nothing else', async (_, [input, options]) => {
    const folder = join(root.path, 'out');
    await writeCheckpoint(await loadPlan(input as string, options as object), folder, { seed: 9 });
    expect(await verifyCheckpoint(folder)).toMatchObject({ ok: true, origin: { seed: 9n, engine: 'philox' } });
    expect(await verifyCheckpoint(folder, { statistics: true })).toMatchObject({ ok: true, origin: undefined });
  });

  test.each(['philox', 'torch'] as const)(
    'a recipe whose rules and names are numbers is carried in the order of its text, which decides values (%s)',
    async (engine) => {
      const texts = [
        '{ "tensors": { "b": [3], "22": [6, 12] }, "initializers": { "*": "uniform", "22": "normal" } }',
        '{ "layers": { "b": { "layer": "Linear", "in_features": 2, "out_features": 3 }, "0": { "layer": "Bilinear", "in1_features": 2, "in2_features": 2, "out_features": 3 } } }',
        '{ "tensors": { "7": [4], "1": [5] }, "initializers": { "*": "normal" }, "overrides": { "?": "ones", "1": "uniform" } }',
      ];
      for (const [i, text] of texts.entries()) {
        const file = join(root.path, `${i}.json`);
        writeFileSync(file, text);
        const { path } = await writeCheckpoint(await loadPlan(file), join(root.path, `${i}`), { seed: 9, engine });
        expect(await verifyCheckpoint(path)).toMatchObject({ ok: true, differences: [], origin: { seed: 9n, engine } });
      }
    },
  );

  test('a long recipe is not in each of very many files', async () => {
    const name = (i: number) => `${'long'.repeat(32)}.${i}`;
    const tensors = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [name(i), [1]]));
    const plan = await loadPlan({ tensors, initializers: { '*': 'ones' } });
    for (const [maxShardSize, carries] of [
      [8, true],
      [4, false],
    ] as const) {
      const checkpoint = virtualCheckpoint(plan, { maxShardSize });
      const [file = { name: '', size: 0 }] = checkpoint.files;
      const text = Buffer.from(await checkpoint.read(file.name, 0, file.size)).toString();
      expect([maxShardSize, text.includes('nninit.source')]).toEqual([maxShardSize, carries]);
      expect(text).toContain('nninit.plan');
    }
  });

  test('one tensor of another distribution is enough, where all others have theirs', async () => {
    const folder = join(root.path, 'out');
    await writeCheckpoint(await loadPlan(gpt2), folder);
    const plan = await loadPlan(gpt2, { rules: { 'transformer.h.1.mlp.c_fc.bias': 'ones' } });
    const { ok, differences, measured = [] } = await verifyCheckpoint(folder, { statistics: true, plan });
    expect([ok, differences]).toEqual([false, []]);
    expect(measured.flatMap(({ tensor, consistent }) => (consistent ? [] : tensor))).toEqual([
      'transformer.h.1.mlp.c_fc.bias',
    ]);
  });

  test('a checkpoint to be like, too', async () => {
    await writeCheckpoint(await loadPlan(gpt2), join(root.path, 'first'));
    const plan = await loadPlan({ like: join(root.path, 'first') }, { rules: { '*.ln_1.*': 'uniform' } });
    await writeCheckpoint(plan, join(root.path, 'second'));
    expect(await verifyCheckpoint(join(root.path, 'second'))).toMatchObject({ ok: true });
  });

  test.each([
    ['shards like one file', {}, { maxShardSize: 300 }, {}],
    ['one file like shards', { maxShardSize: 300 }, {}, {}],
    [
      'other shards, and rules',
      { maxShardSize: 300 },
      { maxShardSize: 800 },
      { rules: { '*.bias': 'uniform', 'z.*': 'normal' } },
    ],
    ['one dtype like several', {}, {}, { dtype: 'float32' }],
    ['files of raw like shards', { maxShardSize: 300 }, { format: 'raw' }, {}],
    ['the whole as one rank', { maxShardSize: 300 }, {}, { tp: { ranks: 1, rank: 0 } }],
  ] as const)(
    'the engine torch draws what is like a checkpoint in one order: %s',
    async (_, before, after, options) => {
      const tensors = {
        'z.weight': { shape: [9, 8] },
        'z.bias': { shape: [8] },
        'b.weight': { shape: [8, 8], dtype: 'float16' },
        'a.weight': { shape: [8, 16], dtype: 'float64' },
        'm.weight': { shape: [20, 4] },
      };
      const first = join(root.path, 'first');
      await writeCheckpoint(await loadPlan({ tensors, initializers: { '*': 'ones' } }), first, before);
      const plan = await loadPlan({ like: first }, options);
      await writeCheckpoint(plan, join(root.path, 'second'), { ...after, engine: 'torch', seed: 5 });
      expect(await verifyCheckpoint(join(root.path, 'second'))).toMatchObject({
        ok: true,
        origin: { engine: 'torch' },
      });
    },
  );

  test.each([
    ['safetensors', 'torch', '"shape":[3,4]', '"shape":[4,3]'],
    ['safetensors', 'philox', '"shape":[0,4]', '"shape":[0,5]'],
    ['safetensors', 'philox', '"a.bias"', '"b.bias"'],
    ['safetensors', 'philox', '{"dtype":"F32","shape":[4]', '{"dtype":"I32","shape":[4]'],
    ['raw', 'philox', '"shape":[3,4]', '"shape":[4,3]'],
    ['raw', 'torch', '"dtype":"float32","shape":[4]', '"dtype":"int32","shape":[4]'],
    ['npy', 'philox', '"a.bias"', '"b.bias"'],
  ] as const)(
    'of a checkpoint to be like, in %s by %s: %s that became %s is found',
    async (format, engine, was, becomes) => {
      const tensors = {
        'a.weight': { shape: [3, 4] },
        'a.bias': { shape: [4] },
        none: { shape: [0, 4] },
      };
      await writeCheckpoint(await loadPlan({ tensors, initializers: { '*': 'ones' } }), join(root.path, 'first'));
      const folder = join(root.path, 'second');
      const plan = await loadPlan({ like: join(root.path, 'first') });
      const { path } = await writeCheckpoint(plan, folder, { format, engine });
      const options = { onWarning: () => {} };
      expect(await verifyCheckpoint(folder, options)).toMatchObject({ ok: true, origin: { engine } });
      const text = readFileSync(path, 'latin1');
      expect(text).toContain(was);
      const changed = text.replace(was, becomes);
      // A header keeps its length by the spaces that end it.
      const data = text.slice(text.lastIndexOf('}') + 1);
      const head = changed.slice(0, changed.lastIndexOf('}') + 1);
      writeFileSync(path, format === 'safetensors' ? head.padEnd(text.length - data.length) + data : changed, 'latin1');
      await expect(verifyCheckpoint(folder, options)).rejects.toMatchObject({
        name: 'InputError',
        code: 'ERR_NNINIT_HEADER',
        message: expect.stringContaining("says 'nninit.plan'"),
      });
    },
  );

  test('a seed or an engine beside statistics, which need neither, is refused rather than passed over', async () => {
    await writeCheckpoint(await loadPlan(recipe), root.path);
    for (const [name, value] of [
      ['seed', 1],
      ['engine', 'torch'],
    ] as const) {
      await expect(verifyCheckpoint(root.path, { statistics: true, [name]: value })).rejects.toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringContaining(`for ${name}, but received`),
      });
      expect(await verifyCheckpoint(root.path, { statistics: false, [name]: value })).toMatchObject({ ok: false });
    }
  });

  test('a part of another checkpoint, or more than it, asks for what it was made from', async () => {
    const llama = {
      ...{ model_type: 'llama', hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 4 },
      vocab_size: 8,
    };
    await writeCheckpoint(await loadPlan(llama), join(root.path, 'first'));
    const like = join(root.path, 'first');
    const more = { like, tensors: { z: { init: 'ones', shape: [4] } } };
    for (const [name, plan] of Object.entries({
      rank: await loadPlan({ like }, { tp: { ranks: 2, rank: 1 } }),
      more: await loadPlan(more),
    })) {
      const folder = join(root.path, name);
      await writeCheckpoint(plan, folder);
      await expect(verifyCheckpoint(folder)).rejects.toThrow('give the input that it was made from');
      expect((await verifyCheckpoint(folder, { plan })).ok).toBe(true);
    }
  });

  test.each([
    ['{"input":"/etc/passwd"}', 'for input'],
    ['{"input":"like","rules":"/etc/passwd"}', 'for rules'],
    ['{"recipe":{"model":"/etc/passwd"}}', 'for recipe.model'],
    ['{"recipe":{"like":"/etc"}}', 'for recipe.like'],
    ['{"input":5}', 'for input'],
    ['{"recipe":5}', 'for recipe'],
    ['{"recipe":{"tensors":{"a":[1]}},"order":{"tensors":["b"]}}', 'for order.tensors'],
    ['{"recipe":{"tensors":{"a":[1]}},"order":{"tensors":5}}', 'for order.tensors'],
    ['{"recipe":{"tensors":{"a":[1]}},"order":{"tensors":[{"toString":5},{"toString":5}]}}', 'for order.tensors'],
    ['{"recipe":{"tensors":{"a":[1]}},"order":{"a":[]}}', "one of 'tensors', 'layers'"],
    ['{"input":"resnet18","order":{}}', 'for order'],
    ['{"input":"like","dtype":"foo"}', 'for dtype'],
    ['{"input":"like","tp":5}', 'a plain object'],
    ['{"inptu":"like"}', "did you mean 'input'?"],
    ['[]', 'expected an object'],
    ['{', 'expected JSON'],
  ])('what another made it carry, %s, opens no other file and is refused', async (source, message) => {
    const folder = join(root.path, 'out');
    const plan = { ...(await loadPlan('resnet18', { dtype: 'bfloat16' })), source: { input: 'like' } };
    const { path } = await writeCheckpoint(plan, folder);
    changeMetadata(path, { 'nninit.source': source });
    await expect(verifyCheckpoint(folder)).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining(message),
    });
  });

  test('one changed bit is found', async () => {
    const { path } = await writeCheckpoint(await loadPlan(gpt2), join(root.path, 'out'));
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    writeFileSync(path, bytes);
    const report = await verifyCheckpoint(join(root.path, 'out'));
    expect(report.ok).toBe(false);
    expect(report.differences).toMatchObject([{ problem: 'values', differing: 1 }]);
  });
});

test.each([
  [{ 'nninit.engine': undefined }, 'ERR_NNINIT_HEADER', 'in its metadata, which is damaged: statistics: true works'],
  [{ 'nninit.stream_version': undefined }, 'ERR_NNINIT_HEADER', 'which is damaged: statistics: true works'],
  [{ 'nninit.engine': 'mersenne' }, 'ERR_NNINIT_ENGINE', 'was written with engine mersenne, stream version 1; this'],
  [{ 'nninit.engine': 'torch', 'nninit.stream_version': '9' }, 'ERR_NNINIT_ENGINE', 'engine torch, stream version 9'],
  [{ 'nninit.seed': '18446744073709551616' }, 'ERR_NNINIT_HEADER', 'expected a seed in [0, 2^64) in its metadata'],
  [{ 'nninit.seed': '-1' }, 'ERR_NNINIT_HEADER', 'expected a seed in [0, 2^64) in its metadata, but it has "-1"'],
] as const)(
  'values that nobody can make anew by %j are not compared, and statistics still are',
  async (change, code, what) => {
    const { path } = await writeCheckpoint(await loadPlan(recipe), root.path, { seed: 2 });
    changeMetadata(path, change);
    const refused = { name: 'InputError', code, path, message: expect.stringContaining(what) };
    await expect(verifyCheckpoint(path)).rejects.toMatchObject(refused);
    await expect(verifyCheckpoint(path, { seed: 2 })).rejects.toMatchObject(refused);
    expect(await verifyCheckpoint(path, { statistics: true })).toMatchObject({ ok: true, origin: undefined });
  },
);

test.each([false, true])(
  'what is to be looked at is told before, and progress to its end (statistics: %s)',
  async (statistics) => {
    const plan = await loadPlan(recipe);
    await writeCheckpoint(plan, root.path, { maxShardSize: 10_000 });
    const begun: object[] = [];
    const told: { readonly bytes: number; readonly totalBytes: number }[] = [];
    const { bytes, tensors } = await verifyCheckpoint(root.path, {
      statistics,
      onBegin: (work) => void begun.push(work),
      onProgress: (progress) => told.push(progress),
    });
    expect([bytes, tensors]).toEqual([plan.bytes, plan.tensors.length]);
    expect(begun).toEqual([{ tensors, files: 2, bytes }]);
    expect(told.at(-1)).toEqual({ bytes, totalBytes: bytes });
    expect(told).toEqual(told.toSorted((a, b) => a.bytes - b.bytes));
  },
);

test('without a seed of nninit distributions are compared, and values where the seed is given', async () => {
  const { path } = await writeCheckpoint(await loadPlan(recipe), root.path, { seed: 2, engine: 'torch' });
  changeMetadata(path, { 'nninit.seed': undefined });
  expect(await verifyCheckpoint(path)).toMatchObject({ ok: true, origin: undefined, measured: expect.anything() });
  const origin = { seed: 2n, engine: 'torch' };
  expect(await verifyCheckpoint(path, { ...origin, engine: 'torch' })).toMatchObject({ ok: true, origin });
  expect(await verifyCheckpoint(path, { seed: 2 })).toMatchObject({ ok: false, origin: { engine: 'philox' } });
});

test('options that are changed after the call are those of the next call only', async () => {
  const plans = await Promise.all(
    ['a', 'b'].map((name) => loadPlan({ tensors: { [name]: { shape: [4], init: 'normal' } } })),
  );
  const folders = ['a', 'b'].map((name) => join(root.path, name));
  for (const [i, plan] of plans.entries()) await writeCheckpoint(plan, folders[i] ?? '');
  const options: { plan?: Plan } = {};
  const reports = folders.map((folder, i) => {
    options.plan = JSON.parse(JSON.stringify(plans[i])) as Plan;
    const report = verifyCheckpoint(folder, options);
    (options.plan.tensors as unknown[]).length = 0;
    return report;
  });
  expect((await Promise.all(reports)).map(({ ok }) => ok)).toEqual([true, true]);
});

test('warnings show the names of foreign files in one line, without what a terminal acts on', async () => {
  const plan = await loadPlan({ tensors: { a: { shape: [4], init: 'normal' }, b: { shape: [4], init: 'normal' } } });
  const [one, other] = [join(root.path, 'one'), join(root.path, 'other')];
  await writeCheckpoint(plan, one, { maxShardSize: 16 });
  await writeCheckpoint(plan, other, { maxShardSize: 16, seed: 2 });
  const names = ['x\u001b[31m\n.safetensors', 'y.safetensors'];
  for (const [i, folder] of [one, other].entries())
    writeFileSync(
      join(root.path, names[i] ?? ''),
      readFileSync(join(folder, `model-0000${i + 1}-of-00002.safetensors`)),
    );
  const index = join(root.path, 'model.safetensors.index.json');
  writeFileSync(index, JSON.stringify({ weight_map: { a: names[0], b: names[1] } }));
  const warnings: string[] = [];
  await verifyCheckpoint(index, { onWarning: (text) => warnings.push(text) });
  expect(warnings).toEqual([expect.stringMatching(/x\\u001b\[31m\\n\.safetensors has seed 0 .* are not of one run$/)]);
});
