import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openAsBlob,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSafetensorsMetadata } from '@huggingface/hub';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type WriteOptions, writeTensors } from '../../../lib/checkpoint/write/write.js';
import { finishCheckpoint, loadPlan, writeCheckpoint, writeEnsemble } from '../../../lib/checkpoint.js';
import type { Dtype } from '../../../lib/core/dtype.js';
import { InputError, InterruptedError, WriteError } from '../../../lib/core/errors.js';
import { version } from '../../../lib/core/version.js';
import { fillRange } from '../../../lib/native/addon.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan, streamOfName } from '../../../lib/plan/plan.js';
import { readSafetensors } from '../../formats/reader.js';
import { assorted } from '../assorted.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-writer-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const planned: readonly PlannedTensor[] = [
  ...assorted,
  { name: 'i', shape: [999], dtype: 'float64', initializer: { init: 'trunc_normal', a: -1, b: 1 } },
];

async function write(folder: string, tensors = planned, options: Partial<WriteOptions> = {}) {
  return writeTensors(folder, resolvePlan({ tensors }), { keys: philoxKeys(42n), ...options });
}

async function digestOf(name: string, tensors = planned, options: Partial<WriteOptions> = {}): Promise<string> {
  const { path } = await write(join(root, name), tensors, options);
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

test('a file has all tensors, with the bytes that a fill of the whole tensor gives', async () => {
  const { path, ...facts } = await write(join(root, 'new/folder'));
  expect(facts).toEqual({
    format: 'safetensors',
    files: 1,
    tensors: 9,
    parameters: 8693,
    bytes: statSync(path).size,
    resumedBytes: 0,
    complete: true,
  });
  const { metadata, tensors } = readSafetensors(path);
  expect(Object.entries(metadata)).toEqual([
    ['format', 'pt'],
    ['nninit.engine', 'philox'],
    ['nninit.plan', expect.stringMatching(/^[0-9a-f]{32}$/)],
    ['nninit.seed', '42'],
    ['nninit.stream_version', '1'],
    ['nninit.version', version],
  ]);
  expect(tensors.size).toBe(planned.length);
  for (const { name, shape, fill, elements, ...tensor } of resolvePlan({ tensors: planned })) {
    const dtype = tensor.dtype as Dtype;
    const data = { float32: Float32Array, float64: Float64Array, float16: Uint16Array, bfloat16: Uint16Array };
    const expected = new data[dtype](elements);
    if (elements > 0) fillRange(expected, dtype, fill, { seed: 42n, stream: streamOfName(name) });
    const found = tensors.get(name);
    expect(found?.shape).toEqual(shape);
    expect(found?.bytes.equals(Buffer.from(expected.buffer)), name).toBe(true);
  }
  expect(readdirSync(join(root, 'new/folder'))).toEqual(['model.safetensors']);
});

test.each([0, 2])('very many small tensors have their bytes too, by %i workers', async (workers) => {
  const dtypes = ['float32', 'bfloat16', 'float64'] as const;
  const tensors = Array.from({ length: 800 }, (_, i): PlannedTensor => {
    const dtype = dtypes[i % 3] ?? 'float32';
    // Between them some that are made whole, and kept.
    if (i % 200 === 7) return { name: `t${i}`, shape: [100, 60], dtype, initializer: 'orthogonal' };
    return { name: `t${i}`, shape: [(i * 7) % 11], dtype, initializer: 'normal' };
  });
  const { path } = await write(root, tensors, { workers });
  const found = readSafetensors(path).tensors;
  for (const { name, fill, elements, dtype } of resolvePlan({ tensors })) {
    const bytes = { float32: Float32Array, float64: Float64Array, bfloat16: Uint16Array };
    const expected = new bytes[dtype as keyof typeof bytes](elements);
    if (elements > 0) fillRange(expected, dtype as Dtype, fill, { seed: 42n, stream: streamOfName(name) });
    expect(found.get(name)?.bytes.equals(Buffer.from(expected.buffer)), name).toBe(true);
  }
});

test("Hugging Face's own JavaScript reader reads it", async () => {
  const { path } = await write(root);
  const read = await parseSafetensorsMetadata({
    repo: 'any/model',
    path: 'model.safetensors',
    computeParametersCount: true,
    fetch: localHub(path),
  });
  if (read.sharded) throw new Error('expected one file');
  const { __metadata__, ...tensors } = read.header;
  expect(__metadata__).toMatchObject({ format: 'pt', 'nninit.seed': '42' });
  expect(Object.keys(tensors).sort()).toEqual(planned.map(({ name }) => name));
  expect(tensors.h).toMatchObject({ dtype: 'F32', shape: [17, 5, 3, 3] });
  expect(read.parameterCount).toEqual({
    F32: 100 * 33 + 1600 + 17 * 45, // it counts no scalars
    BF16: 1001,
    F16: 7,
    F64: 1020 + 999,
  });
});

/** A hub of one file: answers the requests that a download makes. */
function localHub(path: string): typeof fetch {
  return async (_, init) => {
    const blob = await openAsBlob(path);
    const range = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('Range') ?? '');
    const [from, to] =
      range === null ? [0, blob.size - 1] : [Number(range[1]), Math.min(Number(range[2]), blob.size - 1)];
    const headers = {
      ETag: '"x"',
      'Content-Range': `bytes ${from}-${to}/${blob.size}`,
      'Content-Length': String(to + 1 - from),
    };
    return new Response(blob.slice(from, to + 1), { status: range === null ? 200 : 206, headers });
  };
}

test('threads and the size of the buffers change no byte', async () => {
  const expected = await digestOf('1', planned, { threads: 1 });
  expect(await digestOf('2', planned, { threads: 2 })).toBe(expected);
  for (const chunkBytes of [1, 8, 24, 1000, 4096, 2 ** 16]) {
    expect(await digestOf(`chunks of ${chunkBytes}`, planned, { chunkBytes, threads: 2 })).toBe(expected);
  }
  expect(await digestOf('other seed', planned, { keys: philoxKeys(43n) })).not.toBe(expected);
});

test('worker threads and a crew of one write the same bytes', async () => {
  const expected = await digestOf('1', planned, { workers: 0 });
  for (const workers of [1, 3]) {
    for (const chunkBytes of [8, 1000, 2 ** 20]) {
      expect(await digestOf(`${workers} of ${chunkBytes}`, planned, { workers, chunkBytes })).toBe(expected);
    }
  }
});

test('adding, dropping and reordering tensors changes no other tensor', async () => {
  const { tensors: all } = readSafetensors((await write(join(root, 'all'))).path);
  const other = planned.filter(({ name }) => name !== 'a' && name !== 'e').toReversed();
  const added: PlannedTensor = { name: '0', shape: [3, 3], dtype: 'float32', initializer: 'normal' };
  const { tensors: some } = readSafetensors((await write(join(root, 'some'), [added, ...other])).path);
  for (const { name } of other)
    expect(some.get(name)?.bytes.equals(all.get(name)?.bytes ?? Buffer.of()), name).toBe(true);
});

test('an empty plan is a file too', async () => {
  const { path } = await write(root, []);
  expect(readSafetensors(path).tensors.size).toBe(0);
});

test('a checkpoint that is there stays, and with force is replaced', async () => {
  writeFileSync(join(root, 'model.safetensors'), 'mine');
  await expect(write(root)).rejects.toThrow(/model\.safetensors exists already; existing: 'replace' replaces it/);
  await expect(write(root)).rejects.toMatchObject({
    name: 'InputError',
    code: 'EEXIST',
    path: join(root, 'model.safetensors'),
  });
  expect(readFileSync(join(root, 'model.safetensors'), 'utf8')).toBe('mine');
  await write(root, planned, { force: true });
  expect(readSafetensors(join(root, 'model.safetensors')).tensors.size).toBe(9);
});

test('a config.json that differs stays, the same one is left alone', async () => {
  const config = join(root, 'config.json');
  writeFileSync(config, '{"a": 1}');
  const before = statSync(config).ino;
  await expect(write(root, planned, { config: '{"a": 2}' })).rejects.toThrow(/config\.json exists already and differs/);
  expect(readdirSync(root)).toEqual(['config.json']);
  await write(root, planned, { config: '{"a": 1}' });
  expect(statSync(config).ino).toBe(before);
  await write(root, planned, { config: '{"a": 2}', force: true });
  expect(readFileSync(config, 'utf8')).toBe('{"a": 2}');
});

test('a folder in the place of the file is no file', async () => {
  mkdirSync(join(root, 'model.safetensors'));
  await expect(write(root, planned, { force: true })).rejects.toThrow(InputError);
});

test('an abort leaves nothing, not even the folders that were made', async () => {
  const abort = new AbortController();
  const writing = write(join(root, 'a/b'), planned, {
    config: '{}',
    chunkBytes: 256,
    signal: abort.signal,
    onProgress: (written) => written > 2000 && abort.abort('SIGINT'),
  });
  const path = join(root, 'a/b/model.safetensors');
  await expect(writing).rejects.toMatchObject({ name: 'InterruptedError', path, cause: 'SIGINT', resumable: false });
  expect(readdirSync(root)).toEqual([]);
});

test('an abort before the first byte is heard', async () => {
  const abort = new AbortController();
  const written: number[] = [];
  const writing = write(join(root, 'a'), planned, {
    signal: abort.signal,
    onBegin: async () => abort.abort('SIGINT'),
    onProgress: (bytes) => written.push(bytes),
  });
  await expect(writing).rejects.toThrow(InterruptedError);
  expect(Math.max(0, ...written)).toBe(0);
  expect(readdirSync(root)).toEqual([]);
});

test('an error on the way leaves nothing', async () => {
  const broken = resolvePlan({ tensors: planned });
  const failing = writeTensors(join(root, 'a'), broken, {
    keys: philoxKeys(0n),
    chunkBytes: 512,
    onProgress: () => {
      throw new Error('no');
    },
  });
  await expect(failing).rejects.toThrow('no');
  expect(readdirSync(root)).toEqual([]);
});

test.each([
  ['the only file', 'model.safetensors', {}],
  ['a shard', 'model-00004-of-00004.safetensors', { maxShardSize: 14_000 }],
  ['the config', 'config.json', {}],
] as const)("what appears meanwhile under a name of the checkpoint's is not replaced: %s", async (_, name, options) => {
  const onProgress = () => writeFileSync(join(root, name), 'mine');
  const error = { name: 'InputError', code: 'EEXIST', path: join(root, name), message: /has appeared meanwhile/ };
  await expect(write(root, planned, { config: '{}', ...options, onProgress })).rejects.toMatchObject(error);
  expect(readFileSync(join(root, name), 'utf8')).toBe('mine');
  expect(existsSync(join(root, 'model.safetensors.index.json'))).toBe(false);
});

test('after a failure no other file is begun', async () => {
  const tensors = Array.from({ length: 20 }, (_, i): PlannedTensor => {
    return { name: `t${i}`, shape: [400], dtype: 'float32', initializer: 'normal' };
  });
  const first = join(root, 'model-00001-of-00020.safetensors');
  const options = { maxShardSize: 1600, workers: 0, onProgress: () => writeFileSync(first, 'mine') };
  await expect(write(root, tensors, options)).rejects.toMatchObject({ code: 'EEXIST', path: first });
  const begun = new Set(readdirSync(root).flatMap((name) => /\d{5}-of-00020/.exec(name) ?? []));
  expect(begun.size).toBeLessThan(10);
});

test('a file that came in the place of the one that was written gets no name of the checkpoint', async () => {
  const onProgress = () => {
    const [name = ''] = readdirSync(root).filter((each) => each.endsWith('.safetensors.tmp'));
    rmSync(join(root, name));
    writeFileSync(join(root, name), 'of another process');
  };
  await expect(write(root, planned, { onProgress })).rejects.toMatchObject({
    name: 'InputError',
    code: 'EBUSY',
    path: join(root, 'model.safetensors'),
  });
  expect(readdirSync(root).filter((name) => !name.startsWith('.'))).toEqual([]);
});

test.skipIf(process.platform !== 'linux')('what the system refuses is said with its code and the path', async () => {
  await expect(write('/proc/nninit')).rejects.toThrow(WriteError);
  await expect(write('/proc/nninit')).rejects.toMatchObject({ code: 'ENOENT', path: '/proc/nninit' });
  writeFileSync(join(root, 'file'), '');
  await expect(write(join(root, 'file/x'))).rejects.toMatchObject({ code: 'ENOTDIR', path: join(root, 'file/x') });
  await expect(write(join(root, 'file/x'))).rejects.toThrow(`${join(root, 'file')} is no folder (ENOTDIR)`);
});

test.skipIf(process.platform === 'win32')('a link to nowhere in the place of a folder is said to be one', async () => {
  symlinkSync('gone', join(root, 'link'));
  for (const folder of [join(root, 'link'), join(root, 'link/below')]) {
    const error = { name: 'WriteError', code: 'ENOENT', path: folder };
    await expect(write(folder)).rejects.toMatchObject(error);
    await expect(write(folder)).rejects.toThrow(
      `could not create the folder ${folder}: ${join(root, 'link')} is a link to gone, and there is nothing (ENOENT)`,
    );
  }
  expect(readdirSync(root)).toEqual(['link']);
});

test('a model without room on the disk is refused before the work', async () => {
  const huge: PlannedTensor = { name: 'x', shape: [2 ** 50], dtype: 'float32', initializer: 'zeros' };
  await expect(write(join(root, 'a'), [huge])).rejects.toMatchObject({ name: 'WriteError', code: 'ENOSPC' });
  expect(readdirSync(root)).toEqual([]);
});

test.each(['http://host/out', 'hf:org/name', 'file:///out', 'S3://bucket/out', 'gs://bucket/out'])(
  'an address that nothing is written to is no folder: %s',
  async (address) => {
    const plan = await loadPlan({ tensors: { a: { shape: [2], init: 'ones' } } });
    const refused = {
      name: 'InputError',
      message: expect.stringContaining(`a folder to write to, or s3://bucket/prefix, but received '${address}'`),
    };
    await expect(writeCheckpoint(plan, address)).rejects.toMatchObject(refused);
    await expect(writeEnsemble(plan, address, { seeds: [1n] })).rejects.toMatchObject(refused);
    await expect(finishCheckpoint(address)).rejects.toMatchObject(refused);
  },
);
