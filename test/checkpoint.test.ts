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
      const told: object[] = [];
      const onProgress = (taken: object) => told.push(taken);
      for await (const chunk of streamCheckpoint(plan, { seed: 42, onProgress, ...options })) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      expect(told).toHaveLength(chunks.length);
      expect(told.at(-1)).toEqual({ bytes: bytes.length, totalBytes: bytes.length });
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
  expect(await verifyCheckpoint(path, { plan, statistics: true })).toMatchObject({ ok: true });
});
