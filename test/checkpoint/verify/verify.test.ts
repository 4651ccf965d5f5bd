import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  comparableBytes,
  compareTensors,
  type Difference,
  indexOf,
  type VerifyOptions,
} from '../../../lib/checkpoint/verify/verify.js';
import { writeTensors } from '../../../lib/checkpoint/write/write.js';
import { InterruptedError } from '../../../lib/core/errors.js';
import { readHeaders } from '../../../lib/formats/reader.js';
import { openFile } from '../../../lib/formats/source/file.js';
import { type Keys, philoxKeys } from '../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { fuzzed } from '../../fuzz/fuzzed.js';
import { assorted } from '../assorted.js';

const planned: readonly PlannedTensor[] = [
  ...assorted,
  { name: 'i', shape: [3, 3], dtype: 'int64', initializer: 'zeros' },
  { name: 'j', shape: [5], dtype: 'bool', initializer: 'zeros' },
];
const tensors = resolvePlan({ tensors: planned });

let root = '';
let path = '';
let bytes = Buffer.alloc(0);
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'nninit-verify-'));
  await writeTensors(join(root, 'made'), tensors, { keys: philoxKeys(42n) });
  bytes = readFileSync(join(root, 'made', 'model.safetensors'));
  path = join(root, 'x.safetensors');
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

async function verify(file: Uint8Array, options: VerifyOptions & { readonly keys?: Keys } = {}, plan = tensors) {
  writeFileSync(path, file);
  return await compareTensors(await readHeaders(path), plan, { keys: philoxKeys(42n), ...options });
}

test.each([8, 1000, 4096, undefined])('what was written is as planned, read %s bytes at a time', async (chunkBytes) => {
  const seen: number[] = [];
  const result = await verify(bytes, { chunkBytes, onProgress: (done) => seen.push(done) });
  const total = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  expect(result).toEqual({ tensors: 10, bytes: total, differences: [] });
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toBe(total);
  expect(comparableBytes(await readHeaders(path), tensors)).toBe(total);
});

test.each([1000, undefined])(
  'elements that differ are counted over all of a tensor, read %s bytes at a time',
  async (chunkBytes) => {
    const { tensors: found, files } = await readHeaders(join(root, 'made'));
    const [begin, end] = found.get('a')?.offsets ?? [0, 0];
    const first = (files[0]?.dataOffset ?? 0) + begin;
    const last = (end - begin) / 4 - 1;
    expect(last * 4).toBeGreaterThan(1000);
    const changed = Buffer.from(bytes);
    for (const element of [3, last]) changed.writeFloatLE(1e9, first + element * 4);
    const { differences } = await verify(changed, { chunkBytes });
    expect(differences).toEqual([expect.objectContaining({ tensor: 'a', element: 3, differing: 2 })]);
  },
);

test('shards are read one after the other', async () => {
  const folder = join(root, 'shards');
  await writeTensors(folder, tensors, { keys: philoxKeys(42n), maxShardSize: 9000 });
  const checkpoint = await readHeaders(folder);
  expect(checkpoint.files.length).toBeGreaterThan(2);
  const { differences } = await compareTensors(checkpoint, tensors, { keys: philoxKeys(42n) });
  expect(differences).toEqual([]);
});

test('a changed bit is found: its tensor, its index, what was expected and what is there', async () => {
  const checkpoint = await readHeaders(join(root, 'made'));
  const begin = checkpoint.files[0]?.dataOffset ?? 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(7), fc.constantFrom(1000, undefined), async (at, bit, chunkBytes) => {
      const place = begin + (at % (bytes.length - begin));
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] as number) ^ (1 << bit);
      const { differences } = await verify(changed, { chunkBytes });
      const hit = [...checkpoint.tensors.values()].find(
        ({ offsets }) => begin + offsets[0] <= place && place < begin + offsets[1],
      );
      const size = ((hit?.offsets[1] ?? 0) - (hit?.offsets[0] ?? 0)) / (hit?.elements ?? 1);
      const element = Math.floor((place - begin - (hit?.offsets[0] ?? 0)) / size);
      expect(differences).toHaveLength(1);
      const [difference] = differences as [Difference];
      expect(difference).toMatchObject({ tensor: hit?.name, problem: 'values', differing: 1, element });
      if (difference.problem !== 'values') return;
      const flat = difference.index.reduce((sum, index, dim) => sum * (hit?.shape[dim] ?? 1) + index, 0);
      expect(flat).toBe(element);
      if (difference.tensor === 'a') {
        const offset = begin + (hit?.offsets[0] ?? 0) + element * 4;
        expect(Math.fround(Number(difference.expected))).toBe(bytes.readFloatLE(offset));
        expect(Math.fround(Number(difference.found))).toBe(changed.readFloatLE(offset));
      }
    }),
    fuzzed(150),
  );
});

test('values are shown as what they are', async () => {
  const { tensors: found, files } = await readHeaders(join(root, 'made'));
  const changed = Buffer.from(bytes);
  const at = (name: string) => (files[0]?.dataOffset ?? 0) + (found.get(name)?.offsets[0] ?? 0);
  changed.writeFloatLE(Number.NaN, at('g'));
  changed.writeUInt16LE(0xbc00, at('c') + 4);
  changed.writeBigInt64LE(-5n, at('i') + 16);
  changed[at('j') + 1] = 1;
  changed.writeUInt16LE(0x7f80, at('b'));
  const { differences } = await verify(changed);
  const shown = new Map(differences.map((each) => [each.tensor, each]));
  expect(shown.get('g')).toMatchObject({ index: [], found: 'NaN', elements: 1 });
  expect(shown.get('c')).toMatchObject({ index: [2], expected: '1', found: '-1' });
  expect(shown.get('i')).toMatchObject({ index: [0, 2], expected: '0', found: '-5' });
  expect(shown.get('j')).toMatchObject({ index: [1], expected: 'false', found: 'true' });
  expect(shown.get('b')).toMatchObject({ index: [0], found: 'Infinity' });
  expect(differences).toHaveLength(5);
});

test('by another seed every random tensor differs, in almost all elements', async () => {
  const { differences } = await verify(bytes, { keys: philoxKeys(43n) });
  expect(differences.map(({ tensor }) => tensor).sort()).toEqual(['a', 'b', 'd', 'e', 'g']);
  const first = differences.find(({ tensor }) => tensor === 'a');
  expect(first).toMatchObject({ elements: 3300, differing: 3300, element: 0, index: [0, 0] });
});

test('what is missing, not planned, or of another dtype or shape is said so, and the rest compared', async () => {
  const plan = resolvePlan({
    tensors: [
      ...planned.filter(({ name }) => !['a', 'b', 'c'].includes(name)),
      { name: 'a', shape: [33, 100], dtype: 'float32', initializer: 'normal' },
      { name: 'b', shape: [1001], dtype: 'float16', initializer: 'uniform' },
      { name: 'x', shape: [2], dtype: 'float32', initializer: 'zeros' },
    ],
  });
  const { differences, tensors: count } = await verify(bytes, {}, plan);
  expect(count).toBe(10);
  expect(differences.toSorted((p, q) => (p.tensor < q.tensor ? -1 : 1))).toEqual([
    { tensor: 'a', problem: 'shape', expected: '[33, 100]', found: '[100, 33]' },
    { tensor: 'b', problem: 'dtype', expected: 'float16', found: 'bfloat16' },
    { tensor: 'c', problem: 'unexpected', found: 'float16 [7]' },
    { tensor: 'x', problem: 'missing', expected: 'float32 [2]' },
  ]);
});

test("another writer's order and padding do not matter", async () => {
  // The header is not padded and the tensors stand in another order, so that nothing is aligned.
  const { tensors: found, files } = await readHeaders(join(root, 'made'));
  const order = [...found.values()].toSorted((a, b) => (a.name < b.name ? 1 : -1));
  let end = 0;
  const entries = order.map(({ name, tag, shape, offsets }) => {
    const begin = end;
    end += offsets[1] - offsets[0];
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: tag, shape, data_offsets: [begin, end] })}`;
  });
  let text = `{${entries.join(',')}}`;
  if (text.length % 2 === 0) text += ' ';
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const data = order.map(({ offsets }) => {
    return bytes.subarray((files[0]?.dataOffset ?? 0) + offsets[0], (files[0]?.dataOffset ?? 0) + offsets[1]);
  });
  const { differences } = await verify(Buffer.concat([length, Buffer.from(text), ...data]), { chunkBytes: 256 });
  expect(differences).toEqual([]);
});

test.each([0, 1, 3])('a signal ends it within a chunk too, after %i pieces', async (after) => {
  const abort = new AbortController();
  let pieces = 0;
  const onProgress = () => {
    if (pieces++ === after) abort.abort('SIGINT');
  };
  const error = { name: 'InterruptedError', path, cause: 'SIGINT' };
  await expect(verify(bytes, { signal: abort.signal, onProgress })).rejects.toMatchObject(error);
});

test.each([
  ['float32', 4, 0x80000000, '0', '-0'],
  ['float16', 2, 0x8000, '0', '-0'],
  ['bfloat16', 2, 0x8000, '0', '-0'],
  ['float32', 4, 0x00000001, '0', '1.4013e-45'],
] as const)('a zero of another sign is told apart: %s', async (dtype, size, bits, expected, found) => {
  const zeros = resolvePlan({ tensors: [{ name: 'z', shape: [4], dtype, initializer: 'zeros' }] });
  await writeTensors(join(root, `zeros-${dtype}-${bits}`), zeros, { keys: philoxKeys(42n) });
  const file = readFileSync(join(root, `zeros-${dtype}-${bits}`, 'model.safetensors'));
  file.writeUIntLE(bits, file.length - size, size);
  const { differences } = await verify(file, {}, zeros);
  expect(differences).toMatchObject([{ tensor: 'z', element: 3, expected, found }]);
});

test('numbers that look the same are told by their bytes', async () => {
  const initializer = { init: 'constant', val: Number.NaN } as const;
  const nans = resolvePlan({ tensors: [{ name: 'n', shape: [1], dtype: 'float32', initializer }] });
  await writeTensors(join(root, 'nans'), nans, { keys: philoxKeys(42n) });
  const file = readFileSync(join(root, 'nans', 'model.safetensors'));
  file.writeUInt32LE(0x7fc00001, file.length - 4);
  const { differences } = await verify(file, {}, nans);
  expect(differences).toMatchObject([{ tensor: 'n', expected: '0x7fc00000', found: '0x7fc00001' }]);
});

test('a signal ends it, and a file that becomes shorter is refused', async () => {
  const abort = new AbortController();
  const onProgress = () => abort.abort('SIGINT');
  await expect(verify(bytes, { signal: abort.signal, onProgress, chunkBytes: 64 })).rejects.toThrow(InterruptedError);
  writeFileSync(path, bytes);
  const checkpoint = await readHeaders(path);
  truncateSync(path, bytes.length - 8);
  await expect(compareTensors(checkpoint, tensors, { keys: philoxKeys(42n) })).rejects.toMatchObject({
    code: 'ERR_NNINIT_READ',
    message: `${path} was replaced or changed after its header was read`,
  });
  const source = await openFile(path);
  truncateSync(path, bytes.length - 16);
  await expect(source.read(new Uint8Array(8), bytes.length - 16)).rejects.toThrow(
    `${path} became shorter while it was being read`,
  );
  await source.close();
});

test('an element counted from the first, by dimension', () => {
  expect(indexOf(0, [])).toEqual([]);
  expect(indexOf(23, [2, 3, 4])).toEqual([1, 2, 3]);
  expect(indexOf(2 ** 50 + 3, [2 ** 40, 2 ** 12])).toEqual([2 ** 38, 3]);
});
