import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadPlan, writeCheckpoint } from '../../lib/checkpoint.js';
import { addToTally, newTally, tallyAt } from '../../lib/native/addon.js';
import { eigenvalues } from '../../lib/report/eigenvalues.js';
import { tensorReport } from '../../lib/report/tensors.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nninit-report-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const recipe = {
  tensors: {
    'layers.0.weight': { shape: [300, 200], init: 'kaiming_normal' },
    'layers.1.weight': { shape: [300, 200], init: 'xavier_uniform' },
    'layers.1.bias': { shape: [300], init: 'zeros' },
    'q.weight': { shape: [96, 64], init: 'orthogonal', gain: 2 },
    's.weight': { shape: [50, 40], init: 'sparse', sparsity: 0.1 },
  },
};

test('moments and a histogram are those of NumPy', async () => {
  const recorded = JSON.parse(await readFile(new URL('../fixtures/report/tally.json', import.meta.url), 'utf8'));
  const x = Float32Array.from({ length: 100_003 }, (_, i) => {
    if (i % 1000 === 0) return 0;
    return ((Number((BigInt(i) * 2654435761n) % 2n ** 32n) / 2 ** 32 - 0.5) * 4) ** 3;
  });
  const tally = newTally();
  for (let at = 0; at < x.length; at += 7777) {
    addToTally(x.subarray(at, at + 7777), 'float32', Float64Array.of(0.5, -2, 16, 0), tally);
  }
  const of = (what: keyof typeof tallyAt) => tally[tallyAt[what]] as number;
  const [n, shift] = [of('count'), of('sum') / of('count')];
  expect({ count: n, min: of('min'), max: of('max'), zeros: of('zeros') }).toEqual({
    count: recorded.count,
    min: recorded.min,
    max: recorded.max,
    zeros: recorded.zeros,
  });
  expect(0.5 + shift).toBeCloseTo(recorded.mean, 12);
  expect(Math.sqrt((of('square') - n * shift * shift) / (n - 1))).toBeCloseTo(recorded.std, 12);
  expect(Array.from(tally.subarray(tallyAt.bins))).toEqual(recorded.counts);
});

test("a plan's values, and the same from a folder that someone else wrote", async () => {
  const plan = await loadPlan(recipe);
  const made = await tensorReport(plan, { seed: 7, name: 'recipe' });
  expect(made.source).toBe('recipe');
  expect(made.seed).toBe('7');
  expect(JSON.parse(JSON.stringify(made))).toMatchObject({ seed: '7', source: 'recipe' }); // nothing that JSON cannot hold
  expect(made.bytes).toBe(plan.bytes);
  expect(made.tensors.every(({ consistent }) => consistent)).toBe(true);
  const [first] = made.tensors;
  expect(first).toMatchObject({ name: 'layers.0.weight', role: 'layers.*.weight', layer: 0, elements: 60_000 });
  expect(first?.statistics?.std).toBeCloseTo(0.1, 2);
  expect(first?.histogram?.counts.reduce((sum, each) => sum + each, 0)).toBe(60_000);
  expect(first?.histogram?.expected.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 12);
  expect(made.tensors[2]).toMatchObject({ name: 'layers.1.bias', expected: 'all 0', layer: 1 });

  await writeCheckpoint(plan, join(folder, 'out'), { seed: 7 });
  const read = await tensorReport(join(folder, 'out'));
  const byName = new Map(read.tensors.map((each) => [each.name, each]));
  for (const each of made.tensors) expect(byName.get(each.name)).toEqual(each);
  expect(read.differences).toEqual([]);
  expect(read.source).toBe(join(folder, 'out', 'model.safetensors'));
  expect((await tensorReport(join(folder, 'out'), { name: 'mine' })).source).toBe('mine');
});

test('what is no plan is refused for the option plan, whatever is reported on', async () => {
  for (const input of [await loadPlan('resnet18'), folder]) {
    await expect(tensorReport(input, { plan: 'resnet18' as never })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
      message: "tensorReport: expected what loadPlan gave for plan, but received 'resnet18' of type string",
    });
  }
});

test('structure: orthonormal vectors, zeros by column', async () => {
  const { tensors } = await tensorReport(await loadPlan(recipe));
  const q = tensors.find(({ name }) => name === 'q.weight')?.structure;
  const s = tensors.find(({ name }) => name === 's.weight')?.structure;
  if (q?.kind !== 'orthogonal') throw new Error('no structure');
  expect(q.deviation).toBeGreaterThan(0);
  expect(q.deviation).toBeLessThan(1e-5);
  expect(q.singular[0]).toBeGreaterThan(0.9999);
  expect(q.norm).toBeGreaterThan(q.deviation);
  expect(q.spectrum).toHaveLength(64);
  expect([q.spectrum?.at(-1), q.spectrum?.[0]]).toEqual(q.singular);
  // Σ(σ² - 1)² is ‖QᵀQ - I‖².
  const sum = q.spectrum?.reduce((all, value) => all + (value * value - 1) ** 2, 0) ?? 0;
  expect(Math.sqrt(sum) / q.norm).toBeCloseTo(1, 4);
  expect(s).toEqual({ kind: 'sparse', zeros: [5, 5], columns: [{ zeros: 5, columns: 40 }], expected: 5 });
});

test('the spectrum of what is not orthogonal, though it was to be; bounds of a large one', async () => {
  // Columns of lengths 1, 2, …, 8: these are the singular values.
  const values = Float32Array.from({ length: 96 }, (_, i) => (Math.floor(i / 8) === i % 8 ? (i % 8) + 1 : 0));
  const header = JSON.stringify({ q: { dtype: 'F32', shape: [12, 8], data_offsets: [0, 384] } }).padEnd(64);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(64n);
  const path = join(folder, 'lengths.safetensors');
  await writeFile(path, Buffer.concat([size, Buffer.from(header), Buffer.from(values.buffer)]));
  const plan = await loadPlan({ tensors: { q: { shape: [12, 8], init: 'orthogonal' } } });
  const [found] = (await tensorReport(path, { plan })).tensors;
  if (found?.structure?.kind !== 'orthogonal') throw new Error('no structure');
  expect(found.structure.spectrum).toHaveLength(8);
  for (const [i, value] of (found.structure.spectrum ?? []).entries()) expect(value).toBeCloseTo(8 - i, 10);
  expect(found.structure.deviation).toBeCloseTo(63, 10);
  expect(found.consistent).toBe(false);

  const large = await loadPlan({ tensors: { q: { shape: [600, 520], init: 'orthogonal' } } });
  const [bounded] = (await tensorReport(large)).tensors;
  if (bounded?.structure?.kind !== 'orthogonal') throw new Error('no structure');
  expect(bounded.structure.spectrum).toBeUndefined();
  expect(bounded.structure.singular[0]).toBeGreaterThan(0.999);
  expect(bounded.structure.singular[0]).toBeLessThan(1);
});

test('eigenvalues of symmetric matrices', () => {
  for (const n of [1, 2, 3, 40, 101]) {
    // Second differences: 2 - 2·cos(π·k / (n + 1)); in another basis, so that the matrix is full.
    const v = Float64Array.from({ length: n }, (_, i) => Math.cos(7 * i * i + 1));
    const square = v.reduce((sum, x) => sum + x * x, 0);
    const reflect = (x: Float64Array) => {
      const along = (2 * x.reduce((sum, each, i) => sum + each * (v[i] as number), 0)) / square;
      return x.map((each, i) => each - along * (v[i] as number));
    };
    const full = new Float64Array(n * n);
    for (let j = 0; j < n; j++) {
      const x = reflect(Float64Array.from({ length: n }, (_, i) => Number(i === j)));
      const differences = x.map((each, i) => 2 * each - (x[i - 1] ?? 0) - (x[i + 1] ?? 0));
      full.set(reflect(differences), j * n);
    }
    const found = eigenvalues(full, n).sort();
    for (const [k, value] of found.entries())
      expect(value).toBeCloseTo(2 - 2 * Math.cos((Math.PI * (k + 1)) / (n + 1)), 10);
  }
});

test('values that are not as planned are told, and without a plan there is nothing to be told', async () => {
  const plan = await loadPlan({ tensors: { w: { shape: [400, 100], init: 'normal', std: 0.02 } } });
  const other = await loadPlan({ tensors: { w: { shape: [400, 100], init: 'normal', std: 0.0205 } } });
  await writeCheckpoint(other, join(folder, 'other'), { seed: 1 });
  const told = await tensorReport(join(folder, 'other'), { plan });
  expect(told.tensors[0]?.consistent).toBe(false);
  expect(told.tensors[0]?.worst?.test).toBe('std');
  // A safetensors file without any metadata.
  const values = Float32Array.from({ length: 1000 }, (_, i) => (i % 7) - 3);
  const header = JSON.stringify({ w: { dtype: 'F32', shape: [1000], data_offsets: [0, 4000] } }).padEnd(64);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(64n);
  await writeFile(
    join(folder, 'foreign.safetensors'),
    Buffer.concat([size, Buffer.from(header), Buffer.from(values.buffer)]),
  );
  const foreign = await tensorReport(join(folder, 'foreign.safetensors'));
  expect(foreign.tensors[0]).toMatchObject({ expected: null, scores: [], consistent: true });
  expect(foreign.tensors[0]?.statistics).toMatchObject({ count: 1000, min: -3, max: 3, zeros: 143 });
});

test.each([
  [{ seed: 1.5 }, RangeError],
  [{ engine: 'mt' }, RangeError],
  [{ sed: 1 }, TypeError],
  [{ name: 3 }, TypeError],
])('options %o are refused', async (options, kind) => {
  await expect(tensorReport(await loadPlan(recipe), options as never)).rejects.toThrow(kind);
});

function safetensors(tensors: Readonly<Record<string, Float32Array | Float64Array>>): Buffer {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, data]) => {
    const begin = end;
    end += data.byteLength;
    const dtype = data instanceof Float64Array ? 'F64' : 'F32';
    return [name, { dtype, shape: [data.length], data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const bytes = Object.values(tensors).map((data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return Buffer.concat([length, header, ...bytes]);
}

test('what is foreign has its mean, deviation and histogram whatever its exponents, its mean, and where it is not finite', async () => {
  const path = join(folder, 'extremes.safetensors');
  const shape = Float64Array.from({ length: 1001 }, (_, i) => Math.sin(i) + 0.25);
  const times = (factor: number, shift = 0) => shape.map((x) => x * factor + shift);
  const late = new Float64Array(3 * 2 ** 20).fill(Number.NaN);
  late.set(times(1, 1e4), late.length - shape.length);
  const largest = Float64Array.of(Number.MAX_VALUE, -Number.MAX_VALUE, 0, -0);
  const tensors = {
    ...{ large: times(1e200), small: times(1e-200), least: times(2 ** -1070), tight: times(1e-12, 1), late, largest },
    nothing: new Float32Array(4).fill(Number.NaN),
    equal: new Float32Array(1000).fill(0.1),
  };
  await writeFile(path, safetensors(tensors));
  const report = await tensorReport(path);
  const found = Object.fromEntries(report.tensors.map((facts) => [facts.name, facts]));
  const bins = (name: string) => found[name]?.histogram?.counts.filter((count) => count > 0).length;
  const count = shape.length;
  const mean = shape.reduce((sum, x) => sum + x, 0) / count;
  const std = Math.sqrt(shape.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (count - 1));
  for (const [name, factor] of [['large', 1e200] as const, ['small', 1e-200] as const]) {
    const statistics = found[name]?.statistics;
    expect((statistics?.mean ?? 0) / factor).toBeCloseTo(mean, 10);
    expect((statistics?.std ?? 0) / factor).toBeCloseTo(std, 10);
    expect(statistics?.max).toBe(Math.max(...tensors[name]));
    expect(bins(name)).toBeGreaterThan(10);
  }
  expect((found.least?.statistics?.std ?? 0) / 2 ** -1070).toBeCloseTo(std, 1);
  expect((found.tight?.statistics?.std ?? 0) * 1e12).toBeCloseTo(std, 3);
  expect(bins('tight')).toBeGreaterThan(10);
  expect(found.late?.statistics).toMatchObject({ count, nan: late.length - count, infinite: 0 });
  expect(found.late?.statistics?.std).toBeCloseTo(std, 9);
  expect(bins('late')).toBeGreaterThan(10);
  expect(found.largest?.statistics).toMatchObject({ mean: 0, min: -Number.MAX_VALUE, max: Number.MAX_VALUE, zeros: 2 });
  expect((found.largest?.statistics?.std ?? 0) / Number.MAX_VALUE).toBeCloseTo(Math.sqrt(2 / 3), 12);
  expect(found.nothing?.statistics).toMatchObject({ count: 0, nan: 4 });
  expect(found.equal?.statistics).toMatchObject({ count: 1000, mean: Math.fround(0.1), std: 0 });
});
