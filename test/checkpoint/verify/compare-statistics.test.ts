import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { measureCheckpoint } from '../../../lib/checkpoint/verify/statistics/compare.js';
import { writeTensors } from '../../../lib/checkpoint/write/write.js';
import { twoSidedZ } from '../../../lib/core/normal.js';
import { readHeaders } from '../../../lib/formats/reader.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { type PlannedTensor, type ResolvedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { shapeOfSlice } from '../../../lib/tensor/slice.js';

const planned: readonly PlannedTensor[] = [
  { name: 'normal', shape: [300, 400], dtype: 'float32', initializer: { init: 'normal', std: 0.02 } },
  { name: 'short', shape: [3], dtype: 'float32', initializer: 'normal' },
  { name: 'uniform', shape: [300, 400], dtype: 'bfloat16', initializer: 'xavier_uniform' },
  { name: 'truncated', shape: [30_000], dtype: 'float16', initializer: { init: 'trunc_normal', a: -1 } },
  { name: 'orthogonal', shape: [100, 60], dtype: 'bfloat16', initializer: { init: 'orthogonal', gain: 2 } },
  { name: 'delta', shape: [32, 16, 3, 3], dtype: 'float32', initializer: 'delta_orthogonal' },
  { name: 'sparse', shape: [100, 100], dtype: 'float32', initializer: { init: 'sparse', sparsity: 0.3 } },
  { name: 'floor', shape: [3000], dtype: 'float32', initializer: { init: 'dt_bias', floor: 0.01 } },
  { name: 'eye', shape: [20, 30], dtype: 'float64', initializer: 'eye' },
  { name: 'ones', shape: [500], dtype: 'float32', initializer: 'ones' },
  { name: 'padded', shape: [100, 64], dtype: 'float32', initializer: 'normal', zeroRow: 7 },
  { name: 'empty', shape: [0, 3], dtype: 'float32', initializer: 'normal' },
  { name: 'count', shape: [], dtype: 'int64', initializer: 'zeros' },
];
const tensors = resolvePlan({ tensors: planned });

let root = '';
let bytes = Buffer.alloc(0);
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'nninit-measure-'));
  await writeTensors(join(root, 'made'), tensors, { keys: philoxKeys(1n) });
  bytes = readFileSync(join(root, 'made', 'model.safetensors'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

async function off(plan: readonly ResolvedTensor[], file: Uint8Array = bytes, chunkBytes?: number) {
  const path = join(root, 'x.safetensors');
  writeFileSync(path, file);
  const { measured, differences, ...counts } = await measureCheckpoint(await readHeaders(path), plan, { chunkBytes });
  const inconsistent = measured.filter(({ consistent }) => !consistent);
  return {
    ...counts,
    all: measured,
    differences,
    off: Object.fromEntries(inconsistent.map(({ tensor, worst }) => [tensor, worst?.test])),
  };
}

test.each([1000, undefined])('a checkpoint is consistent with its own plan, read %s bytes at a time', async (chunk) => {
  const result = await off(tensors, bytes, chunk);
  expect(result.off).toEqual({});
  expect(result.differences).toEqual([]);
  expect(result.all).toHaveLength(13);
  expect(result.bytes).toBe(tensors.reduce((sum, tensor) => sum + tensor.bytes, 0));
  const byName = new Map(result.all.map((each) => [each.tensor, each]));
  expect(byName.get('normal')).toMatchObject({ expected: 'N(0, 0.02²)', statistics: { count: 120_000, nan: 0 } });
  expect(byName.get('normal')).toMatchObject({ dtype: 'float32', shape: [300, 400] });
  expect(byName.get('padded')).toMatchObject({ statistics: { count: 99 * 64 } });
  expect(byName.get('sparse')).toMatchObject({ expected: 'N(0, 0.01²) and zeros', statistics: { count: 7000 } });
  expect(byName.get('ones')).toMatchObject({ expected: 'all 1' });
  expect(byName.get('ones')).not.toHaveProperty('statistics');
  expect(byName.get('orthogonal')?.expected).toBe('orthogonal, gain 2');
});

test('other initializers are not', async () => {
  const wrong: Readonly<Record<string, Partial<PlannedTensor>>> = {
    normal: { initializer: { init: 'normal', std: 0.0205 } },
    short: { initializer: { init: 'normal', std: 0.05 } },
    uniform: { initializer: 'xavier_normal' },
    truncated: { initializer: 'trunc_normal' },
    orthogonal: { initializer: 'orthogonal' },
    sparse: { initializer: { init: 'normal', std: 0.01 } },
    floor: { initializer: { init: 'dt_bias', floor: 0.02 } },
    eye: { initializer: 'zeros' },
    ones: { initializer: 'zeros' },
    padded: { zeroRow: 8 },
  };
  const plan = resolvePlan({ tensors: planned.map((tensor) => ({ ...tensor, ...wrong[tensor.name] })) });
  const result = await off(plan);
  expect(Object.keys(result.off).sort()).toEqual(Object.keys(wrong).sort());
  expect(result.off).toMatchObject({ normal: 'std', uniform: 'shape', orthogonal: 'norm', eye: 'values' });
});

test('the limit is that of one false alarm in a million, all tests of all tensors together', async () => {
  // Three elements: zeros, bounds, mean, standard deviation and extremes; too few for a shape.
  const short = tensors.filter(({ name }) => name === 'short');
  const one = await off(short);
  expect(one.limit).toBe(twoSidedZ(1e-6 / 5));
  const more = await off([...short, ...tensors.filter(({ name }) => name === 'ones')]);
  expect(more.limit).toBe(one.limit);
  expect((await off(tensors)).limit).toBeGreaterThan(one.limit + 0.5);
});

test('the length of an orthogonal matrix is told to a thousandth', async () => {
  const plan = (gain: number) =>
    resolvePlan({
      tensors: [{ name: 'q', shape: [20, 20], dtype: 'float32', initializer: { init: 'orthogonal', gain } }],
    });
  await writeTensors(join(root, 'q'), plan(1), { keys: philoxKeys(1n) });
  const file = readFileSync(join(root, 'q', 'model.safetensors'));
  expect((await off(plan(1), file)).off).toEqual({});
  expect((await off(plan(1.001), file)).off).toEqual({ q: 'norm' });
});

test.each([0.25, 0.31, 1])('so is a sparse tensor with another share of zeros than %s', async (sparsity) => {
  const initializer = { init: 'sparse', sparsity } as const;
  const plan = resolvePlan({
    tensors: planned.map((each) => (each.name === 'sparse' ? { ...each, initializer } : each)),
  });
  expect((await off(plan)).off).toEqual({ sparse: 'zeros' });
  await writeTensors(join(root, `sparse-${sparsity}`), plan, { keys: philoxKeys(1n) });
  const other = readFileSync(join(root, `sparse-${sparsity}`, 'model.safetensors'));
  expect((await off(plan, other)).off).toEqual({});
  expect((await off(tensors, other)).off).toEqual({ sparse: 'zeros' });
});

test('a number that is none is found', async () => {
  const { tensors: found, files } = await readHeaders(join(root, 'made'));
  const changed = Buffer.from(bytes);
  for (const name of ['normal', 'delta', 'padded']) {
    changed.writeFloatLE(Number.NaN, (files[0]?.dataOffset ?? 0) + (found.get(name)?.offsets[0] ?? 0) + 7 * 64 * 4);
  }
  expect((await off(tensors, changed)).off).toEqual({ normal: 'finite', delta: 'norm', padded: 'values' });
});

test('what is missing or of another shape is a difference, not measured', async () => {
  const plan = resolvePlan({
    tensors: [
      { name: 'normal', shape: [400, 300], dtype: 'float32', initializer: 'normal' },
      { name: 'x', shape: [1], dtype: 'float32', initializer: 'normal' },
    ],
  });
  const { differences, all } = await off(plan);
  expect(all).toEqual([]);
  expect(differences.filter(({ problem }) => problem !== 'unexpected').map(({ tensor }) => tensor)).toEqual([
    'x',
    'normal',
  ]);
});

test('a part of each tensor is consistent as well', async () => {
  const parts = tensors
    .filter(({ shape }) => (shape[0] ?? 0) > 10)
    .map((tensor): ResolvedTensor => {
      const slice = { shape: tensor.shape, ranges: [{ dim: 0, start: 2, length: 9 }] };
      const elements = (tensor.elements / (tensor.shape[0] ?? 1)) * 9;
      return {
        ...tensor,
        shape: shapeOfSlice(slice),
        elements,
        bytes: (tensor.bytes / tensor.elements) * elements,
        slice,
      };
    });
  await writeTensors(join(root, 'parts'), parts, { keys: philoxKeys(1n) });
  const result = await off(parts, readFileSync(join(root, 'parts', 'model.safetensors')));
  expect(result.off).toEqual({});
  expect(result.all).toHaveLength(10);
});

const small = { init: 'normal', std: 0.02 } as const;
test.each([
  ['float32', small],
  ['bfloat16', small],
  ['float32', 'kaiming_uniform'],
  ['bfloat16', 'kaiming_uniform'],
] as const)(
  "lengths of another tensor's columns in %s are about as long as planned, of %j",
  async (dtype, initializer) => {
    const shape = [400, 130];
    const plan = resolvePlan({
      tensors: [
        { name: 'weight', shape, dtype, initializer },
        { name: 'weight.lengths', shape: [1, 130], dtype, initializer: 'ones', norms: { of: 'weight', shape } },
      ],
    });
    for (const seed of [1n, 2n, 3n]) {
      await writeTensors(join(root, `lengths-${dtype}-${typeof initializer}-${seed}`), plan, {
        keys: philoxKeys(seed),
      });
      const file = readFileSync(join(root, `lengths-${dtype}-${typeof initializer}-${seed}`, 'model.safetensors'));
      expect((await off(plan, file)).off).toEqual({});
      const size = dtype === 'float32' ? 4 : 2;
      const at = file.length - 130 * size;
      const spoilt = (change: (bytes: Buffer) => void) => {
        const copy = Buffer.from(file);
        change(copy.subarray(at));
        return off(plan, copy);
      };
      // The second tensor's bytes are the file's last.
      expect((await spoilt((lengths) => lengths.fill(0))).off).toEqual({ 'weight.lengths': 'norm' });
      expect((await spoilt((lengths) => lengths.fill(0, 64 * size, 65 * size))).off).toEqual({
        'weight.lengths': 'norm',
      });
      expect((await spoilt((lengths) => lengths.fill(0xff, 0, size))).off).toEqual({ 'weight.lengths': 'finite' });
      const one = (lengths: Buffer) => lengths.set(size === 4 ? [0, 0, 0x80, 0x3f] : [0x80, 0x3f]);
      expect((await spoilt(one)).off).toEqual({ 'weight.lengths': 'norm' });
    }
  },
);

test.each([
  ['with another mean than zero', 'uniform'],
  ['that are not drawn', 'ones'],
  ['that are none', 'zeros'],
] as const)('lengths of columns of numbers %s are numbers, of which no more is known', async (_, initializer) => {
  const [shape, dtype] = [[40, 30], 'float32'] as const;
  const lengths = { shape: [1, 30], dtype, initializer: 'ones', norms: { of: 'w', shape } } as const;
  const plan = resolvePlan({
    tensors: [
      { name: 'w', shape, dtype, initializer },
      { name: 'w.lengths', ...lengths },
    ],
  });
  const folder = join(root, `other-${JSON.stringify(initializer)}`);
  await writeTensors(folder, plan, { keys: philoxKeys(1n) });
  const file = readFileSync(join(folder, 'model.safetensors'));
  expect((await off(plan, file)).off).toEqual({});
  file.writeFloatLE(-1, file.length - 4);
  expect((await off(plan, file)).off).toEqual({ 'w.lengths': 'finite' });
});

test('logarithms and sines that were computed in float32 are as planned, and others are not', async () => {
  const [rows, cols, pairs] = [1500, 64, 32];
  const made: readonly PlannedTensor[] = [
    { name: 'A_log', shape: [4, 16], dtype: 'float32', initializer: 'log_arange' },
    { name: 'positions', shape: [rows, cols], dtype: 'float32', initializer: { init: 'sinusoidal', endpoint: true } },
    { name: 'same', shape: [5], dtype: 'float32', initializer: { init: 'log_of_uniform', a: 3.3, b: 3.3 } },
    { name: 'step', shape: [5], dtype: 'float32', initializer: { init: 'dt_bias', min: 0.01, max: 0.01 } },
  ];
  const plan = resolvePlan({ tensors: made });
  await writeTensors(join(root, 'tables'), plan, { keys: philoxKeys(1n) });
  const file = readFileSync(join(root, 'tables', 'model.safetensors'));
  const begin = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, begin));
  const written = async (of: (name: string, i: number, value: number) => number) => {
    const other = Buffer.from(file);
    for (const { name } of made) {
      const [from, to] = header[name].data_offsets;
      for (let at = from; at < to; at += 4) {
        other.writeFloatLE(of(name, (at - from) / 4, other.readFloatLE(begin + at)), begin + at);
      }
    }
    return (await off(plan, other)).off;
  };
  const single = (name: string, i: number, value: number) => {
    if (name !== 'positions') return value * (1 + 2 ** -24 * (i % 3));
    const column = i % cols;
    const frequency = Math.fround(Math.exp(Math.fround((-Math.log(10000) / (pairs - 1)) * (column % pairs))));
    const angle = Math.fround(Math.floor(i / cols) * frequency);
    return column < pairs ? Math.sin(angle) : Math.cos(angle);
  };
  expect(await written(single)).toEqual({});
  expect(await written((name, i, value) => single(name, i, value) * (1 + 1e-5))).toEqual({
    A_log: 'values',
    same: 'values',
    step: 'values',
  });
  expect(await written((_, i, value) => (i === 4 ? value + 0.01 : value))).toEqual({
    A_log: 'values',
    positions: 'values',
    same: 'values',
    step: 'values',
  });
  expect(await written((_, i, value) => (i === 4 ? Number.NaN : value))).toHaveProperty('positions', 'values');
});
