import { openAsBlob, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSafetensorsMetadata } from '@huggingface/hub';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { safetensorsFiles, shardName, splitShards } from '../../../lib/checkpoint/virtual/shards.js';
import { type WriteOptions, writeTensors } from '../../../lib/checkpoint/write/write.js';
import { InputError } from '../../../lib/core/errors.js';
import { bytesOfText } from '../../../lib/core/size.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { loadPlan } from '../../../lib/plan/load-plan.js';
import { type PlannedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { tensorsOf } from '../../../lib/plan/resolved.js';
import { readSafetensors } from '../../formats/reader.js';
import { contentOf, temporaryFolder } from '../temporary.js';

const root = temporaryFolder();

const planned: readonly PlannedTensor[] = [
  { name: 'wte', shape: [100, 64], dtype: 'bfloat16', initializer: 'normal' },
  { name: 'h.0.weight', shape: [64, 64], dtype: 'bfloat16', initializer: 'orthogonal' },
  { name: 'h.0.bias', shape: [64], dtype: 'float32', initializer: 'zeros' },
  { name: 'h.1.weight', shape: [64, 64], dtype: 'bfloat16', initializer: 'normal' },
  { name: 'h.1.bias', shape: [64], dtype: 'float32', initializer: 'zeros' },
  { name: 'steps', shape: [3], dtype: 'int64', initializer: 'zeros' },
  { name: 'ä\u007f🦙', shape: [2], dtype: 'float32', initializer: 'ones' },
];

async function write(folder: string, options: Partial<WriteOptions> = {}, tensors = planned) {
  return writeTensors(folder, resolvePlan({ tensors }), { keys: philoxKeys(7n), ...options });
}

const sizes = (shards: { bytes: number }[][]) => shards.map((shard) => shard.map(({ bytes }) => bytes));
const split = (bytes: number[], limit: number) =>
  sizes(
    splitShards(
      bytes.map((each) => ({ bytes: each })),
      limit,
    ),
  );

test("shards are filled in order, as huggingface_hub's documentation shows", () => {
  expect(split([6, 6, 2, 6, 2, 2], 10)).toEqual([[6], [6, 2], [6, 2, 2]]);
});

test('a tensor above the limit gets its own shard, before the one being filled', () => {
  expect(split([1, 20, 1], 10)).toEqual([[20], [1, 1]]);
  expect(split([20, 1], 10)).toEqual([[20], [1]]);
  expect(split([1, 20], 10)).toEqual([[20], [1]]);
  expect(split([10, 10], 10)).toEqual([[10], [10]]);
  expect(split([], 10)).toEqual([[]]);
});

test('every tensor is in one shard, no shard of several exceeds the limit', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.integer({ min: 1, max: 60 }), (bytes, limit) => {
      const shards = split(bytes, limit);
      expect(shards.flat().sort()).toEqual([...bytes].sort());
      for (const shard of shards) {
        const sum = shard.reduce((a, b) => a + b, 0);
        if (sum > limit) expect(shard).toHaveLength(1);
        if (bytes.length > 0) expect(shard.length).toBeGreaterThan(0);
      }
    }),
  );
});

test('names', () => {
  expect(shardName(0, 1)).toBe('model.safetensors');
  expect(shardName(6, 191)).toBe('model-00007-of-00191.safetensors');
});

test('shards hold the tensors that one file does, and the index says where', async () => {
  const { tensors: whole } = readSafetensors((await write(join(root.path, 'one'))).path);
  const folder = join(root.path, 'many');
  const written = await write(folder, { maxShardSize: 15000 });
  expect(written).toMatchObject({ path: join(folder, 'model.safetensors.index.json'), files: 3, tensors: 7 });
  const shards = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  expect(shards).toEqual([1, 2, 3].map((n) => `model-0000${n}-of-00003.safetensors`));
  expect(readdirSync(folder)).toHaveLength(4);
  const bytes = shards.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(written.bytes).toBe(bytes);
  const index = JSON.parse(readFileSync(written.path, 'utf8'));
  const seen = new Map<string, Buffer>();
  for (const shard of shards) {
    for (const [name, tensor] of readSafetensors(join(folder, shard)).tensors) {
      expect(index.weight_map[name]).toBe(shard);
      seen.set(name, tensor.bytes);
    }
  }
  expect([...seen.keys()].sort()).toEqual([...whole.keys()].sort());
  for (const [name, tensor] of whole) expect(seen.get(name)?.equals(tensor.bytes), name).toBe(true);
  expect(index.metadata).toEqual({
    total_parameters: 6400 + 2 * 4096 + 2 * 64 + 2, // integers are no parameters
    total_size: 12800 + 2 * 8192 + 2 * 256 + 24 + 8,
  });
});

test("the index is, to the byte, what Python's json.dumps(…, indent=2, sort_keys=True) makes of it", () => {
  const tensors = resolvePlan({ tensors: planned });
  const { index } = safetensorsFiles(tensors, { keys: philoxKeys(7n), maxShardSize: 15000 });
  expect(index?.text).toBe(`{
  "metadata": {
    "total_parameters": 14722,
    "total_size": 29728
  },
  "weight_map": {
    "h.0.bias": "model-00002-of-00003.safetensors",
    "h.0.weight": "model-00002-of-00003.safetensors",
    "h.1.bias": "model-00003-of-00003.safetensors",
    "h.1.weight": "model-00003-of-00003.safetensors",
    "steps": "model-00003-of-00003.safetensors",
    "wte": "model-00001-of-00003.safetensors",
    "\\u00e4\\u007f\\ud83e\\udd99": "model-00003-of-00003.safetensors"
  }
}
`);
});

test("Hugging Face's own JavaScript reader follows the index", async () => {
  const folder = join(root.path, 'hub');
  await write(folder, { maxShardSize: 15000 });
  const read = await parseSafetensorsMetadata({
    repo: 'any/model',
    computeParametersCount: true,
    fetch: hubOf(folder),
  });
  if (!read.sharded) throw new Error('expected shards');
  expect(read.index.weight_map?.['h.1.weight']).toBe('model-00003-of-00003.safetensors');
  expect(Object.keys(read.headers)).toHaveLength(3);
  expect(read.parameterCount).toEqual({ BF16: 6400 + 2 * 4096, F32: 130, I64: 3 });
});

/** A hub that has a folder's files. */
function hubOf(folder: string): typeof fetch {
  return async (input, init) => {
    const name = decodeURIComponent(new URL(String(input)).pathname.split('/').at(-1) ?? '');
    if (!readdirSync(folder).includes(name)) return new Response(null, { status: 404 });
    const blob = await openAsBlob(join(folder, name));
    const range = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('Range') ?? '');
    const [from, to] =
      range === null ? [0, blob.size - 1] : [Number(range[1]), Math.min(Number(range[2]), blob.size - 1)];
    const headers = {
      ETag: `"${name}"`,
      'Content-Range': `bytes ${from}-${to}/${blob.size}`,
      'Content-Length': String(to + 1 - from),
    };
    return new Response(blob.slice(from, to + 1), { status: range === null ? 200 : 206, headers });
  };
}

test('a checkpoint of another layout is refused, and with force removed once the new one is complete', async () => {
  const folder = join(root.path, 'again');
  await write(folder, { maxShardSize: 15000, config: '{"a": 1}' });
  const before = contentOf(folder);
  for (const options of [{}, { maxShardSize: 9000 }, { maxShardSize: 15000 }]) {
    await expect(write(folder, options)).rejects.toMatchObject({ name: 'InputError', code: 'EEXIST' });
    expect(contentOf(folder)).toEqual(before);
  }
  writeFileSync(join(folder, 'tokenizer.json'), 'mine');
  await write(folder, { force: true, config: '{"a": 2}' });
  expect(readdirSync(folder)).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
  expect(readFileSync(join(folder, 'config.json'), 'utf8')).toBe('{"a": 2}');
  await write(folder, { force: true, maxShardSize: 15000, config: '{"a": 1}' });
  expect(contentOf(folder)).toEqual({ ...before, 'tokenizer.json': expect.any(String) });
});

test('force leaves what is there until the new checkpoint is complete', async () => {
  const folder = join(root.path, 'kept');
  await write(folder, { maxShardSize: 15000 });
  const before = contentOf(folder);
  const abort = new AbortController();
  const writing = write(folder, {
    force: true,
    keys: philoxKeys(8n),
    chunkBytes: 256,
    signal: abort.signal,
    onProgress: (written) => written > 2000 && abort.abort('SIGINT'),
  });
  await expect(writing).rejects.toMatchObject({ name: 'InterruptedError', resumable: false });
  expect(contentOf(folder)).toEqual(before);
});

test('too many shards are refused', () => {
  const one: PlannedTensor = { name: '', shape: [1], dtype: 'float32', initializer: 'zeros' };
  const tensors = Array.from({ length: 100_000 }, (_, i) => ({ ...one, name: `t${i}` }));
  const options = { keys: philoxKeys(0n), maxShardSize: 4 };
  expect(() => safetensorsFiles(resolvePlan({ tensors }), options)).toThrow(InputError);
  expect(() => safetensorsFiles(resolvePlan({ tensors }), options)).toThrow(
    /at most 99999 shards, but 4 bytes a shard/,
  );
});

test('an initializer that changes no name or shape still changes the head', () => {
  const of = (std: number) =>
    safetensorsFiles(
      resolvePlan({ tensors: [{ name: 'w', shape: [4], dtype: 'float32', initializer: { init: 'normal', std } }] }),
      { keys: philoxKeys(0n) },
    );
  expect(of(0.02).digest).toBe(of(0.02).digest);
  expect(of(0.02).digest).not.toBe(of(0.01).digest);
});

const recorded = JSON.parse(
  readFileSync(new URL('../../fixtures/models/shards.json', import.meta.url), 'utf8'),
) as readonly { readonly config: Record<string, unknown>; readonly indexes: Readonly<Record<string, object>> }[];

// The parts of one tensor lie together (Mixtral's experts), and buffers are no parameters (of a router, a head, a batch norm).
test.each(recorded)("the index of $config.architectures is save_pretrained's", async ({ config, indexes }) => {
  const tensors = tensorsOf(await loadPlan(config));
  for (const [size, index] of Object.entries(indexes)) {
    const { index: ours } = safetensorsFiles(tensors, { keys: philoxKeys(0n), maxShardSize: bytesOfText(size) });
    expect(JSON.parse(ours?.text ?? '')).toEqual(index);
  }
});
