// The public functions on whole checkpoints.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { OpenCheckpoint } from '../lib/checkpoint/read/open-checkpoint.js';
import {
  loadPlan,
  openCheckpoint,
  type Plan,
  streamCheckpoint,
  verifyCheckpoint,
  virtualCheckpoint,
  writeCheckpoint,
} from '../lib/checkpoint.js';
import { createPool } from '../lib/pool/pool.js';
import { contentOf, temporaryFolder } from './checkpoint/temporary.js';

const root = temporaryFolder();
const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

const gpt2 = { model_type: 'gpt2', n_layer: 2, n_embd: 8, n_head: 2, vocab_size: 10, n_positions: 4 };
const recipe = {
  layers: {
    body: { layer: 'Linear', in_features: 6, out_features: 4 },
    norm: { layer: 'BatchNorm1d', num_features: 4 },
  },
  tensors: { mix: { init: 'orthogonal', shape: [80, 70] }, rest: { init: 'normal', std: 0.5, shape: [50, 3] } },
};

describe('a plan', () => {
  test('comes from a config, a recipe, a name, a path, or a checkpoint to be like', async () => {
    const plan = await loadPlan(gpt2, { dtype: 'bfloat16', rules: { '*.bias': 'ones' } });
    expect(plan.tensors[0]).toMatchObject({ name: 'transformer.wte.weight', shape: [10, 8], dtype: 'bfloat16' });
    expect(plan.tensors.find(({ name }) => name.endsWith('.bias'))?.initializer).toEqual({ init: 'ones' });
    expect(plan.bytes).toBe(2 * plan.parameters);
    expect((await loadPlan(recipe)).tensors.map(({ name }) => name)).toContain('norm.num_batches_tracked');
    expect((await loadPlan('resnet18')).parameters).toBe(11_699_132);
    writeFileSync(join(root.path, 'config.json'), JSON.stringify(gpt2));
    expect((await loadPlan(root.path)).tensors).toHaveLength(28);
    await writeCheckpoint(plan, join(root.path, 'out'));
    const like = await loadPlan({ like: join(root.path, 'out') });
    const facts = (given: Plan) => given.tensors.map(({ name, shape, dtype }) => [name, shape, dtype]).sort();
    expect(facts(like)).toEqual(facts(plan));
  });

  test.each(['philox', 'torch'] as const)(
    'is plain data: out of JSON it is the same checkpoint (%s)',
    async (engine) => {
      const llama = {
        ...{
          model_type: 'llama',
          hidden_size: 16,
          intermediate_size: 32,
          num_hidden_layers: 1,
          num_attention_heads: 4,
        },
        vocab_size: 8,
      };
      for (const [name, plan] of Object.entries({
        gpt2: await loadPlan(gpt2),
        recipe: await loadPlan(recipe),
        rank: await loadPlan(llama, { tp: { ranks: 2, rank: 1 } }),
      })) {
        const again = JSON.parse(JSON.stringify(plan)) as Plan;
        await writeCheckpoint(plan, join(root.path, name, 'a'), { seed: 5, engine });
        await writeCheckpoint(again, join(root.path, name, 'b'), { seed: 5, engine });
        expect(contentOf(join(root.path, name, 'b'))).toEqual(contentOf(join(root.path, name, 'a')));
      }
    },
  );

  test('that makes no sense is refused', async () => {
    await expect(loadPlan(7 as unknown as string)).rejects.toThrow(
      'loadPlan: expected a config or a recipe as an object',
    );
    await expect(loadPlan('resnet18', { dtyp: 'float16' } as never)).rejects.toThrow("did you mean 'dtype'?");
    await expect(loadPlan(gpt2, { tp: { ranks: 2, rank: 2 } })).rejects.toThrow(/an integer from 0 to 1 for tp\.rank/);
    await expect(loadPlan(gpt2, { rules: { '*': 'normale' } })).rejects.toThrow('rules["*"]');
    expect(() => virtualCheckpoint({} as Plan)).toThrow('virtualCheckpoint: expected what loadPlan gave for plan');
    const wrong = [
      [{ dtype: 'toString' }, "one of 'bool'"],
      [{ name: 5 }, 'a string for name'],
      [{ zeroRow: 0.5 }, 'for zeroRow'],
      [{ zeroRow: 2 }, 'an integer from 0 to 1 for zeroRow'],
      [{ slice: null }, 'an object for slice'],
      [{ copyOf: 'a' }, 'the name of another tensor'],
      [{ partOf: { begin: -1 } }, 'for partOf.begin'],
    ] as const;
    for (const [change, message] of wrong) {
      const tensor = { name: 'a', shape: [2, 3], dtype: 'float32', initializer: 'ones', ...change };
      expect(() => virtualCheckpoint({ tensors: [tensor] } as unknown as Plan)).toThrow(message);
    }
    expect(() => virtualCheckpoint({ tensors: [null] } as unknown as Plan)).toThrow('expected tensors to be objects');
    expect(() => virtualCheckpoint({ tensors: [], draws: 5 } as unknown as Plan)).toThrow('for plan.draws');
    const plan = await loadPlan(gpt2);
    expect(Object.isFrozen(plan) && Object.isFrozen(plan.tensors[0])).toBe(true);
    const twice = { tensors: [1, 2].map(() => ({ name: 'a', shape: [2], dtype: 'float32', initializer: 'ones' })) };
    expect(() => virtualCheckpoint(twice as unknown as Plan)).toThrow('expected each name once');
  });
});

describe('a checkpoint', () => {
  test('is the same written, read and streamed, with a pool or without', async () => {
    const plan = await loadPlan(gpt2);
    const progress: number[] = [];
    const folder = join(root.path, 'out');
    const written = await writeCheckpoint(plan, folder, {
      seed: 42,
      pool,
      onProgress: ({ bytes, totalBytes }) => progress.push(bytes / totalBytes),
    });
    expect(written).toMatchObject({ files: 1, tensors: 28, parameters: plan.parameters, resumedBytes: 0 });
    expect(progress.at(-1)).toBe(1);
    const bytes = readFileSync(written.path);
    const virtual = virtualCheckpoint(plan, { seed: 42 });
    expect(virtual.files.map(({ name }) => name)).toEqual(['model.safetensors', 'config.json']);
    expect(Buffer.from(await virtual.read('model.safetensors')).equals(bytes)).toBe(true);
    for (const options of [{}, { pool }]) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of streamCheckpoint(plan, { seed: 42, ...options })) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    }
  });

  test('that is there is refused, replaced, or left as it is', async () => {
    const plan = await loadPlan(gpt2);
    const folder = join(root.path, 'out');
    await writeCheckpoint(plan, folder, { seed: 1 });
    await expect(writeCheckpoint(plan, folder, { seed: 2 })).rejects.toMatchObject({ code: 'EEXIST' });
    const { resumedBytes, bytes } = await writeCheckpoint(plan, folder, { seed: 1, existing: 'resume' });
    expect(bytes - resumedBytes).toBeLessThan(10_000); // the header
    await writeCheckpoint(plan, folder, { seed: 2, existing: 'replace' });
    expect((await verifyCheckpoint(folder)).origin?.seed).toBe(2n);
  });

  test('is cut into shards of a size, and other formats', async () => {
    const plan = await loadPlan(gpt2);
    expect(virtualCheckpoint(plan, { maxShardSize: '2kB' }).files.length).toBeGreaterThan(4);
    expect(virtualCheckpoint(plan, { format: 'npy' }).files.map(({ name }) => name)).toContain('manifest.json');
    expect(() => virtualCheckpoint(plan, { maxShardSize: '2 apples' })).toThrow(RangeError);
    expect(() => virtualCheckpoint(plan, { seed: 0.5 })).toThrow('virtualCheckpoint: expected');
  });

  test('can be read by tensors and slices', async () => {
    const { path } = await writeCheckpoint(await loadPlan(recipe), join(root.path, 'out'), { maxShardSize: '2kB' });
    await using checkpoint = await openCheckpoint(path);
    expect(checkpoint.tensors.map(({ name }) => name)).toContain('rest');
    const whole = await checkpoint.read('rest');
    expect(whole).toMatchObject({ shape: [50, 3], dtype: 'float32' });
    const slice = [{ dim: 1, start: 1, length: 2 }];
    const part = await checkpoint.read('rest', { slice });
    expect(part.shape).toEqual([50, 2]);
    expect(part.data).toEqual((whole.data as Float32Array).filter((_, i) => i % 3 > 0));
    expect((await checkpoint.read('norm.num_batches_tracked')).data).toEqual(BigInt64Array.of(0n));
    await expect(checkpoint.read('none')).rejects.toMatchObject({ code: 'ERR_NNINIT_NO_TENSOR' });
    await expect(checkpoint.read('rest', { slice: [{ dim: 1, start: 2, length: 2 }] })).rejects.toThrow(RangeError);
    await checkpoint.close();
    await expect(checkpoint.read('rest')).rejects.toThrow('closed');
  });
});

test('a tensor that no memory holds is refused by its name, and can be read by slices', async () => {
  const path = join(root.path, 'huge.safetensors');
  const bytes = 2 ** 53 - 2 ** 20;
  const head = JSON.stringify({ huge: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } });
  // Files of that length exist nowhere; what was read of the header is enough.
  const file = { path, dataOffset: 8 + head.length, fileBytes: bytes, metadata: new Map(), tensors: [] };
  const tensor = { name: 'huge', shape: [bytes], dtype: 'uint8', tag: 'U8', offsets: [0, bytes], file };
  const headers = { path, files: [file], tensors: new Map([['huge', tensor]]) };
  await using checkpoint = new OpenCheckpoint(headers as unknown as ConstructorParameters<typeof OpenCheckpoint>[0]);
  await expect(checkpoint.read('huge')).rejects.toMatchObject({
    code: 'ERR_OUT_OF_RANGE',
    message: `read: expected a tensor, or a slice of one, that fits into memory in one piece for name, but received 'huge' of type string (${bytes} bytes)`,
  });
});

test.each(['safetensors', 'npy'] as const)(
  'a file that has come in the place of the one that was opened is not read: %s',
  async (format) => {
    const folder = join(root.path, 'out');
    const options = { format, existing: 'replace' } as const;
    await writeCheckpoint(
      await loadPlan({ tensors: { a: [3, 2], b: [4] }, initializers: { '*': 'ones' } }),
      folder,
      options,
    );
    await using checkpoint = await openCheckpoint(folder);
    expect((await checkpoint.read('a')).data).toEqual(new Float32Array(6).fill(1));
    await using late = await openCheckpoint(folder);
    await writeCheckpoint(await loadPlan({ tensors: { b: [4], a: [3, 2] }, initializers: { '*': 'zeros' } }), folder, {
      ...options,
      seed: 1,
    });
    // What is open stays what it was; of two checkpoints nobody wants parts.
    expect((await checkpoint.read('a')).data).toEqual(new Float32Array(6).fill(1));
    await expect(late.read('a')).rejects.toMatchObject({
      code: 'ERR_NNINIT_READ',
      message: expect.stringMatching(/was replaced or changed after its header was read$/),
    });
  },
);

test('a folder whose name the system would change is refused', async () => {
  const folder = join(root.path, 'a\ud800');
  const refused = { code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('a name in well-formed Unicode') };
  await expect(writeCheckpoint(await loadPlan(recipe), folder)).rejects.toMatchObject(refused);
});

test('a folder whose name no system has is refused before anything is begun', async () => {
  const refused = { code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('without null characters') };
  await expect(writeCheckpoint(await loadPlan(recipe), 'a\0b')).rejects.toMatchObject(refused);
});

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

  test('a checkpoint to be like, too', async () => {
    await writeCheckpoint(await loadPlan(gpt2), join(root.path, 'first'));
    const plan = await loadPlan({ like: join(root.path, 'first') }, { rules: { '*.ln_1.*': 'uniform' } });
    await writeCheckpoint(plan, join(root.path, 'second'));
    expect(await verifyCheckpoint(join(root.path, 'second'))).toMatchObject({ ok: true });
  });

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
    ['{"input":"like","dtype":"foo"}', 'for dtype'],
    ['{"input":"like","tp":5}', 'a plain object'],
    ['{"inptu":"like"}', "did you mean 'input'?"],
    ['[]', 'expected an object'],
    ['{', 'expected JSON'],
  ])('what another made it carry, %s, opens no other file and is refused', async (source, message) => {
    const folder = join(root.path, 'out');
    const plan = { ...(await loadPlan('resnet18', { dtype: 'bfloat16' })), source: { input: 'like' } };
    const { path } = await writeCheckpoint(plan, folder);
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, Record<string, string>>;
    const changed = Buffer.from(
      JSON.stringify({ ...header, __metadata__: { ...header.__metadata__, 'nninit.source': source } }),
    );
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(changed.length));
    writeFileSync(path, Buffer.concat([head, changed, bytes.subarray(8 + length)]));
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

describe('an abort', () => {
  test('ends each of them', async () => {
    const plan = await loadPlan(recipe);
    const signal = AbortSignal.abort(new Error('enough'));
    const folder = join(root.path, 'out');
    await writeCheckpoint(plan, folder);
    await expect(writeCheckpoint(plan, join(root.path, 'no'), { signal })).rejects.toMatchObject({
      name: 'InterruptedError',
    });
    await expect(verifyCheckpoint(folder, { signal })).rejects.toMatchObject({ name: 'InterruptedError' });
    const stream = streamCheckpoint(plan, { signal });
    await expect(stream.next()).rejects.toThrow('enough');
  });
});

describe('a plan is what it was', () => {
  const recipe = { tensors: { a: { shape: [2], init: 'constant', val: -0 }, b: { shape: [3], init: 'normal' } } };

  test('-0 is 0, which JSON has', async () => {
    const plan = await loadPlan(recipe);
    const bytes = await virtualCheckpoint(plan).read('model.safetensors');
    expect(bytes.subarray(-20, -12)).toEqual(new Uint8Array(8));
    expect(await virtualCheckpoint(JSON.parse(JSON.stringify(plan))).read('model.safetensors')).toEqual(bytes);
  });

  test('nobody can change it, nor what it carries through what it was made from', async () => {
    const rules = { 'fc.weight': { init: 'normal', std: 2 } };
    const plan = await loadPlan('resnet18', { rules });
    rules['fc.weight'].std = 5;
    expect(plan.source?.rules).toEqual([['fc.weight', { init: 'normal', std: 2 }]]);
    const [first] = plan.tensors;
    expect(() => Reflect.apply(Array.prototype.push, first?.shape, [1])).toThrow(TypeError);
    expect(() => Object.assign(first?.initializer as object, { std: 1 })).toThrow(TypeError);
  });

  test('another one that is made of its parts does not carry what it was made from', async () => {
    const plan = await loadPlan('resnet18');
    const carried = async (given: typeof plan) =>
      Buffer.from(await virtualCheckpoint(given).read('model.safetensors', 0, 20_000)).includes('nninit.source');
    expect(await carried(plan)).toBe(true);
    expect(await carried(JSON.parse(JSON.stringify(plan)))).toBe(true);
    const tensors = plan.tensors.map((each) =>
      each.name === 'fc.weight' ? { ...each, initializer: 'zeros' as const } : each,
    );
    expect(await carried({ ...plan, tensors })).toBe(false);
    expect(await carried({ ...plan, tensors: plan.tensors.slice(1) })).toBe(false);
  });
});

test('verifying on a pool finds the same, whole tensors and differences included', async () => {
  const recipe = {
    tensors: { q: { shape: [200, 150], init: 'orthogonal' }, w: { shape: [1000, 700], init: 'normal' } },
  };
  const folder = join(root.path, 'verified');
  const { path } = await writeCheckpoint(await loadPlan(recipe), folder, { seed: 3 });
  expect(await verifyCheckpoint(folder, { pool })).toEqual(await verifyCheckpoint(folder));
  const bytes = readFileSync(path);
  bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const report = await verifyCheckpoint(folder, { pool });
  expect(report).toEqual(await verifyCheckpoint(folder));
  expect(report.ok).toBe(false);
});

test('an engine without a seed, of files that tell none, is refused: nothing would be made by it', async () => {
  const plan = await loadPlan({ tensors: { w: { shape: [2], init: 'ones' } } });
  const header = Buffer.from('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const path = join(root.path, 'foreign.safetensors');
  writeFileSync(path, Buffer.concat([length, header, Buffer.from(Float32Array.of(1, 1).buffer)]));
  await expect(verifyCheckpoint(path, { plan, engine: 'torch' })).rejects.toThrow(
    `${path}: expected a seed beside the engine torch, since the files tell none`,
  );
  expect(await verifyCheckpoint(path, { plan, engine: 'torch', seed: 0 })).toMatchObject({ ok: true });
  expect(await verifyCheckpoint(path, { plan, engine: 'torch', statistics: true })).toMatchObject({ ok: true });
});
