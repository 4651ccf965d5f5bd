import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { packTensors, UnpackedTensors } from '../../../lib/checkpoint/virtual/packed-tensors.js';
import { type KeyedTensor, keyed, partsOf } from '../../../lib/checkpoint/virtual/range.js';
import { safetensorsFiles } from '../../../lib/checkpoint/virtual/shards.js';
import { tensorFiles } from '../../../lib/checkpoint/virtual/tensor-files.js';
import { laidFiles, VirtualCheckpoint } from '../../../lib/checkpoint/virtual/virtual.js';
import { virtualCheckpoint } from '../../../lib/checkpoint/virtual/virtual-checkpoint.js';
import { writeTensors } from '../../../lib/checkpoint/write/write.js';
import type { Format } from '../../../lib/formats/names.js';
import { isTorchKey } from '../../../lib/native/addon.js';
import { keysFor } from '../../../lib/plan/keys.js';
import { type PlannedTensor, type ResolvedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { createPool } from '../../../lib/pool/pool.js';
import type { Engine } from '../../../lib/random/generator.js';
import { fuzzed } from '../../fuzz/fuzzed.js';
import { assorted } from '../assorted.js';
import { temporaryFolder } from '../temporary.js';

const root = temporaryFolder();
const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

/** All that a file can hold: every kind of fill and dtype, what is made whole and kept, counters, zero rows, copies, slices. */
const planned: readonly PlannedTensor[] = [
  ...assorted,
  { name: 'counter', shape: [], dtype: 'int64', initializer: 'zeros' },
  { name: 'flags', shape: [13], dtype: 'bool', initializer: 'zeros' },
  { name: 'padded', shape: [9, 7], dtype: 'bfloat16', initializer: 'normal', zeroRow: 3 },
  { name: 'source', shape: [5, 5], dtype: 'float32', initializer: 'normal' },
  { name: 'copy', shape: [5, 5], dtype: 'float32', initializer: 'normal', copyOf: 'source' },
  { name: 'large', shape: [90, 80], dtype: 'float32', initializer: 'orthogonal' },
  { name: 'sparse', shape: [300, 40], dtype: 'float32', initializer: { init: 'sparse', sparsity: 0.3 } },
];

function slicedTensors(): ResolvedTensor[] {
  const ranges = { normal: [{ dim: 1, start: 3, length: 11 }], orthogonal: [{ dim: 0, start: 10, length: 70 }] };
  return resolvePlan({ tensors: planned }).map((tensor) => {
    const kind = tensor.fill.kind;
    if (tensor.name !== 'a' && tensor.name !== 'large') return tensor;
    const slice = { shape: tensor.shape, ranges: ranges[kind as 'normal' | 'orthogonal'] };
    const shape = tensor.shape.map((size, dim) => slice.ranges.find((range) => range.dim === dim)?.length ?? size);
    const elements = shape.reduce((product, size) => product * size, 1);
    return { ...tensor, slice, shape, elements, bytes: elements * 4 };
  });
}

/** As another thread gets them. */
const unpacked = (tensors: readonly KeyedTensor[]) => new UnpackedTensors(structuredClone(packTensors(tensors)));

const cases = (['philox', 'torch'] as const).flatMap((engine) =>
  (['safetensors', 'npy', 'raw'] as const).map((format) => [engine, format] as const),
);

describe.each(cases)('engine %s, format %s', (engine: Engine, format: Format) => {
  test('any range of any file is what the written file has there, with and without a pool', async () => {
    const tensors = slicedTensors();
    const keys = keysFor(engine, 7n, { tensors });
    const config = '{"a": 1}\n';
    const options = { keys, config, maxShardSize: 20_000 };
    const set = format === 'safetensors' ? safetensorsFiles(tensors, options) : tensorFiles(tensors, format, options);
    const folder = join(root.path, 'out');
    await writeTensors(folder, tensors, { ...options, format });
    const virtual = VirtualCheckpoint.of(set, keys);
    for (const { name, size } of virtual.files) {
      const written = readFileSync(join(folder, name));
      expect(size).toBe(written.length);
      expect(Buffer.from(await virtual.read(name)).equals(written)).toBe(true);
      expect(Buffer.from(await virtual.read(name, 0, size, { pool })).equals(written)).toBe(true);
    }
    const laid = laidFiles(set, keys);
    const sent = laid.files.map((file) => ({ ...file, tensors: unpacked(file.tensors as readonly KeyedTensor[]) }));
    const packed = new VirtualCheckpoint({ ...laid, files: sent });
    const files = virtual.files.filter(({ size }) => size > 0);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(9000), fc.boolean(), async (which, at, length, onPool) => {
        const { name, size } = files[which % files.length] as { name: string; size: number };
        const begin = at % size;
        const end = Math.min(size, begin + length);
        for (const each of [virtual, packed]) {
          const bytes = await each.read(name, begin, end, onPool ? { pool } : undefined);
          expect(Buffer.from(bytes).equals(readFileSync(join(folder, name)).subarray(begin, end))).toBe(true);
        }
      }),
      fuzzed(150),
    );
  });
});

test('packed tensors are found however many there are, in memory that is bounded', () => {
  const tensors = resolvePlan({
    tensors: Array.from({ length: 50_001 }, (_, i) => {
      return { name: `t${i}`, shape: [2, 3], dtype: 'float32' as const, initializer: 'normal' as const };
    }),
  });
  for (const engine of ['philox', 'torch'] as const) {
    const keys = keysFor(engine, 7n, { tensors: tensors.slice(0, engine === 'torch' ? 100 : undefined) });
    const placed = tensors.slice(0, engine === 'torch' ? 100 : undefined).flatMap((tensor, i) => {
      return keyed({ ...tensor, offset: 24 * i }, keys);
    });
    const packed = packTensors(placed);
    expect(packed.bytes.length / placed.length).toBeLessThan(300);
    const list = unpacked(placed);
    expect(list.length).toBe(placed.length);
    for (let i = 0; i < placed.length; i += 37) {
      expect({ ...list.at(i), key: undefined }).toEqual({ ...placed[i], key: undefined });
      const [key, expected] = [list.at(i)?.key, placed[i]?.key];
      if (key !== undefined && isTorchKey(key)) expect(key.state.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(key).toEqual(expected);
    }
    expect(list.at(placed.length)).toBeUndefined();
    expect(partsOf(list, 24 * 70 + 5, 24 * 72)).toMatchObject([
      { tensor: { name: 't70' }, begin: 5, end: 24, at: 0 },
      { tensor: { name: 't71' }, begin: 0, end: 24, at: 19 },
    ]);
  }
});

describe('what cannot be read', () => {
  const keys = keysFor('philox', 0n, { tensors: [] });
  const virtual = VirtualCheckpoint.of(safetensorsFiles(resolvePlan({ tensors: planned }), { keys }), keys);

  test('is refused by name', async () => {
    await expect(virtual.read('other')).rejects.toThrow(
      `read: expected one of 'model.safetensors' for name, but received "other"`,
    );
  });

  test('or by range', async () => {
    const [{ size } = { size: 0 }] = virtual.files;
    await expect(virtual.read('model.safetensors', 0, size + 1)).rejects.toThrow(RangeError);
    await expect(virtual.read('model.safetensors', 9, 8)).rejects.toThrow(RangeError);
    await expect(virtual.read('model.safetensors', -1)).rejects.toThrow(RangeError);
    expect(await virtual.read('model.safetensors', size, size)).toHaveLength(0);
  });

  test('or stopped', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(virtual.read('model.safetensors', 0, 9, { signal })).rejects.toThrow('enough');
    await expect(virtual.read('model.safetensors', 0, 9, { pool, signal })).rejects.toThrow('enough');
  });
});

test('a tensor that is made whole is made once for all ranges, and who stops waiting for it does not stop the others', async () => {
  const keys = keysFor('philox', 0n, { tensors: [] });
  const tensors = resolvePlan({
    tensors: [{ name: 'q', shape: [900, 900], dtype: 'float32', initializer: 'orthogonal' }],
  });
  const virtual = VirtualCheckpoint.of(safetensorsFiles(tensors, { keys }), keys);
  const order: string[] = [];
  const abort = new AbortController();
  const first = virtual.read('model.safetensors', 0, 9000, { pool }).then(() => order.push('made'));
  const second = virtual
    .read('model.safetensors', 9000, 9900, { pool, signal: abort.signal })
    .catch(() => order.push('stopped'));
  setImmediate(() => abort.abort(new Error('enough')));
  await Promise.all([first, second]);
  expect(order).toEqual(['stopped', 'made']);
  const before = pool.statistics().completed;
  const whole = await virtual.read('model.safetensors', 0, undefined, { pool });
  for (let at = 0; at < 100; at++) {
    const bytes = await virtual.read('model.safetensors', at * 1000, at * 1000 + 10);
    expect(Buffer.from(bytes).equals(whole.subarray(at * 1000, at * 1000 + 10))).toBe(true);
  }
  expect(pool.statistics().completed - before).toBeLessThan(10);
});

test('a plan that is changed after the call changes no byte', async () => {
  const shape = [96, 96];
  const range = { dim: 0, start: 2, length: 2 };
  const q: PlannedTensor = { name: 'q', shape, dtype: 'float32', initializer: 'orthogonal', zeroRow: 3 };
  const slice = { shape: [8, 4], ranges: [range] };
  const s: PlannedTensor = { name: 's', shape: [2, 4], dtype: 'float32', initializer: 'normal', slice };
  const plan = { tensors: [q, s] };
  const name = 'model.safetensors';
  const expected = await virtualCheckpoint(plan).read(name);
  const virtual = virtualCheckpoint(plan);
  shape.fill(7);
  range.start = 0;
  expect(Buffer.compare(await virtual.read(name), expected)).toBe(0);
  const [begin, end] = [expected.length - 20_000, expected.length - 12_000];
  expect(Buffer.compare(await virtual.read(name, begin, end), expected.subarray(begin, end))).toBe(0);
});
