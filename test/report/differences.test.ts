import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadPlan, writeCheckpoint } from '../../lib/checkpoint.js';
import { reportPage, tensorDifferences, tensorReport } from '../../lib/report.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nninit-differences-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A safetensors file by hand: nothing of the writer's. */
async function file(name: string, tensors: Record<string, [dtype: string, shape: number[], bytes: Buffer]>) {
  let at = 0;
  const header = JSON.stringify(
    Object.fromEntries(
      Object.entries(tensors).map(([key, [dtype, shape, bytes]]) => {
        at += bytes.length;
        return [key, { dtype, shape, data_offsets: [at - bytes.length, at] }];
      }),
    ),
  );
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  const path = join(folder, name);
  await writeFile(
    path,
    Buffer.concat([size, Buffer.from(header), ...Object.values(tensors).map(([, , bytes]) => bytes)]),
  );
  return path;
}

const f32 = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
const bits16 = (...values: number[]) => Buffer.from(Uint16Array.from(values).buffer);

test('elements of four and six bits are counted one by one', async () => {
  const a = {
    four: ['F4', [6], Buffer.from([0x21, 0x43, 0x65])],
    six: ['F6_E2M3', [4], Buffer.from([0x21, 0x43, 0x65])],
  };
  const b = {
    four: ['F4', [6], Buffer.from([0x21, 0x53, 0x76])],
    six: ['F6_E2M3', [4], Buffer.from([0x22, 0x43, 0x25])],
  };
  type Tensors = Parameters<typeof file>[1];
  const found = await tensorDifferences(
    await file('packs-a.safetensors', a as unknown as Tensors),
    await file('packs-b.safetensors', b as unknown as Tensors),
  );
  expect(found).toEqual([
    { tensor: 'four', elements: 6, differing: 3, largest: null },
    { tensor: 'six', elements: 4, differing: 2, largest: null },
  ]);
});

test('element by element, of whatever dtype; names in another order, values at odd places', async () => {
  const a = await file('a.safetensors', {
    odd: ['U8', [3], Buffer.from([1, 2, 3])],
    x: ['F32', [5], f32(1, 2, 3, Number.NaN, -0)],
    wide: ['F32', [3], f32(1, 2, 3.5)],
    nan: ['F32', [2], f32(1, 2)],
    shape: ['F32', [2], f32(1, 2)],
    only: ['F32', [1], f32(1)],
    i: ['I64', [2], Buffer.alloc(16, 7)],
    none: ['F32', [0], f32()],
  });
  const b = await file('b.safetensors', {
    i: ['I64', [2], Buffer.concat([Buffer.alloc(15, 7), Buffer.alloc(1, 8)])],
    nan: ['F32', [2], f32(1, Number.NaN)],
    odd: ['U8', [3], Buffer.from([1, 2, 3])],
    shape: ['F32', [1, 2], f32(1, 2)],
    wide: ['BF16', [3], bits16(0x3f80, 0x4000, 0x4040)], // 1, 2, 3
    x: ['F32', [5], f32(1, 2.25, 2, Number.NaN, 0)],
    none: ['F32', [0], f32()],
  });
  const found = await tensorDifferences(a, b);
  expect(found).toEqual([
    { tensor: 'odd', elements: 3, differing: 0, largest: null },
    { tensor: 'x', elements: 5, differing: 2, largest: 1 },
    { tensor: 'wide', elements: 3, differing: 1, largest: 0.5 },
    { tensor: 'nan', elements: 2, differing: 1, largest: Number.POSITIVE_INFINITY },
    { tensor: 'i', elements: 2, differing: 1, largest: null },
    { tensor: 'none', elements: 0, differing: 0, largest: 0 },
  ]);
});

const recipe = {
  tensors: {
    'a.weight': { shape: [1500, 1000], init: 'normal', std: 0.02 },
    'a.bias': { shape: [1500], init: 'zeros' },
    q: { shape: [40, 30], init: 'orthogonal', dtype: 'float64' },
    h: { shape: [64, 3], init: 'uniform', dtype: 'bfloat16' },
  },
};

test("a plan is its checkpoint, and another seed's is not; what differs is on the page", async () => {
  const plan = await loadPlan(recipe);
  await writeCheckpoint(plan, join(folder, 'seven'), { seed: 7, maxShardSize: 2_000_000 });
  const told: number[] = [];
  const onProgress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number }) =>
    void told.push(bytes / totalBytes);
  const same = await tensorDifferences(plan, join(folder, 'seven'), { seeds: [7, 0], onProgress });
  expect(same.map(({ differing, largest }) => [differing, largest])).toEqual([0, 1, 2, 3].map(() => [0, 0]));
  expect(told.at(-1)).toBe(1);
  const apart = await tensorDifferences(join(folder, 'seven'), plan, { seeds: [0, 8] });
  const byName = new Map(apart.map((each) => [each.tensor, each]));
  expect(byName.get('a.bias')?.differing).toBe(0);
  const weight = byName.get('a.weight');
  expect(weight?.differing).toBeGreaterThan(1_499_000);
  // Of 1.5 million differences of two normals the most is some 5.2 of their deviations.
  expect((weight?.largest ?? 0) / (0.02 * Math.SQRT2)).toBeGreaterThan(4);
  expect((weight?.largest ?? 0) / (0.02 * Math.SQRT2)).toBeLessThan(7);

  const tensors = [await tensorReport(plan, { seed: 7 }), await tensorReport(plan, { seed: 8 })];
  const html = await reportPage({ tensors, differences: apart });
  expect(html).toContain('<!doctype html>');
});

test.each([
  [{ seeds: [1] }, RangeError],
  [{ seeds: 1 }, TypeError],
  [{ engine: 'mt' }, RangeError],
  [{ seed: 1 }, TypeError],
  [{ onBegin: 1 }, TypeError],
])('options %o are refused', async (options, kind) => {
  const plan = await loadPlan(recipe);
  await expect(tensorDifferences(plan, plan, options as never)).rejects.toThrow(kind);
});

test('what is no model is refused, and a signal ends it', async () => {
  const plan = await loadPlan(recipe);
  await expect(tensorDifferences(plan, 7 as never)).rejects.toThrow(/for b/);
  await expect(tensorDifferences(join(folder, 'nowhere'), plan)).rejects.toMatchObject({ code: 'ERR_NNINIT_READ' });
  await expect(tensorDifferences(plan, plan, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: 'AbortError',
  });
});

test('plans and seeds are those of the call, whatever becomes of them after it', async () => {
  const plan = JSON.parse(JSON.stringify(await loadPlan({ tensors: { a: { shape: [8], init: 'normal' } } })));
  const path = join(folder, 'call');
  await writeCheckpoint(plan, path, { seed: 5 });
  const seeds: [number, number] = [0, 5];
  const options = { plan };
  const made = [tensorDifferences(path, plan, { seeds }), tensorReport(path, options)] as const;
  seeds[1] = 6;
  options.plan = undefined;
  plan.tensors[0].initializer = 'ones';
  const [differences, report] = await Promise.all(made);
  expect(differences).toMatchObject([{ tensor: 'a', differing: 0 }]);
  expect(report.tensors).toMatchObject([{ name: 'a', expected: 'N(0, 1²)' }]);
});
