import { expect, test } from 'vitest';
import { empty, Generator, init, type NarrowDtype, tensor, toFloat32Array } from '../../lib/index.js';

const dtypes: readonly NarrowDtype[] = ['float8_e4m3fn', 'float8_e5m2', 'float4_e2m1fn', 'int8'];
const generator = () => new Generator({ seed: 11 });

/** Half of the distance between neighbours, at most, for values of a size: the rounding error that is allowed. */
const half: Readonly<Record<string, (x: number) => number>> = {
  float8_e4m3fn: (x) => Math.max(2 ** -10, x / 16),
  float8_e5m2: (x) => Math.max(2 ** -17, x / 8),
  float4_e2m1fn: (x) => (x <= 2 ? 0.25 : x <= 4 ? 0.5 : 1),
  int8: () => 0.5,
};

test.each(dtypes)('%s: values are those of float32, rounded to the nearest there is', (dtype) => {
  const exact = init.normal_(empty([200, 30]), { std: 1.5, generator: generator() }).data;
  const w = init.normal_(empty([200, 30], { dtype }), { std: 1.5, generator: generator() });
  const values = toFloat32Array(w);
  const off = values.findIndex((value, i) => {
    const x = exact[i] ?? 0;
    return Math.abs(value - x) > (half[dtype]?.(Math.abs(x)) ?? 0) && Math.abs(x) < 6;
  });
  expect(off).toBe(-1);
  expect(values.every((value, i) => Math.abs(exact[i] ?? 0) < 6 || Math.abs(value) >= 5.5)).toBe(true);
  expect(w.data.length).toBe(dtype === 'float4_e2m1fn' ? 3000 : 6000);
});

test('without a shape it is all elements in one dimension, two of them in a byte where they are that small', () => {
  const memory = new Uint8Array(3);
  expect(tensor(memory, undefined, { dtype: 'float4_e2m1fn' }).shape).toEqual([6]);
  expect(tensor(memory, undefined, { dtype: 'float8_e5m2' }).shape).toEqual([3]);
});

test('what names its shape dims and its dtype type, as in onnxruntime, is taken as it is', () => {
  const like = { data: new Int8Array(6), dims: [2, 3], type: 'int8' } as const;
  expect(init.eye_(like)).toBe(like);
  expect([...like.data]).toEqual([1, 0, 0, 0, 1, 0]);
});

test('the generator moves on as for any tensor, in both engines', () => {
  for (const engine of ['philox', 'torch'] as const) {
    const [a, b] = [new Generator({ engine, seed: 3 }), new Generator({ engine, seed: 3 })];
    init.normal_(empty([64, 64], { dtype: 'float8_e4m3fn' }), { generator: a });
    init.normal_(empty([64, 64]), { generator: b });
    const next = [a, b].map((each) => init.uniform_(empty([8]), { generator: each }).data);
    expect(next[0]).toEqual(next[1]);
  }
});

test('all kinds of fills, on memory that is there', () => {
  const memory = new Uint8Array(16 * 16 + 3).subarray(3);
  const w = tensor(memory, [16, 16], { dtype: 'float8_e5m2' });
  expect([...toFloat32Array(init.eye_(w))].filter((x) => x === 1)).toHaveLength(16);
  const square = toFloat32Array(init.orthogonal_(w, { generator: generator() })).reduce((sum, x) => sum + x * x, 0);
  expect(Math.abs(square / 16 - 1)).toBeLessThan(0.05);
  const zeros = toFloat32Array(init.sparse_(w, 0.5, { generator: generator() })).filter((x) => x === 0);
  expect(zeros.length).toBeGreaterThanOrEqual(128);
  expect(new Set(toFloat32Array(init.constant_(w, 0.3)))).toEqual(new Set([0.3125]));
  expect(new Set(toFloat32Array(init.constant_(empty([4], { dtype: 'uint8' }), 127)))).toEqual(new Set([127]));
  expect(toFloat32Array(init.constant_(empty([2], { dtype: 'float8_e8m0fnu' }), 0.25))).toEqual(
    Float32Array.of(0.25, 0.25),
  );
});

test('bounds hold: no value is b or beyond, and none is NaN', () => {
  for (const dtype of ['float8_e4m3fn', 'float8_e5m2', 'float4_e2m1fn'] as const) {
    const values = toFloat32Array(init.uniform_(empty([4096], { dtype }), 0.5, 3, { generator: generator() }));
    expect([Math.min(...values) >= 0.5, Math.max(...values) < 3]).toEqual([true, true]);
  }
  const wide = toFloat32Array(
    init.normal_(empty([4096], { dtype: 'float8_e4m3fn' }), { std: 1e6, generator: generator() }),
  );
  expect(wide.every(Number.isFinite)).toBe(true);
  expect(Math.max(...wide)).toBe(448);
});

test('what does not fit is refused before the first byte', () => {
  expect(() => empty([3, 3], { dtype: 'float4_e2m1fn' })).toThrow(
    'empty: expected an even number of elements in all (dtype float4_e2m1fn) for shape',
  );
  expect(() => tensor(new Int8Array(4), [4], { dtype: 'float8_e4m3fn' } as never)).toThrow(
    'tensor: expected a Uint8Array (dtype float8_e4m3fn) for data, but received 4 elements of type Int8Array',
  );
  expect(() => tensor(new Uint8Array(4), [5], { dtype: 'float8_e4m3fn' })).toThrow(
    'tensor: expected 5 bytes (shape [5]) for data',
  );
  const w = tensor(new Uint8Array(4).fill(7), [4], { dtype: 'float8_e4m3fn' });
  expect(() => init.constant_(w, Number.NaN)).toThrow('constant_: expected a finite number in float8_e4m3fn for val');
  expect(() => init.uniform_(w, 17.1, 17.2)).toThrow(
    'uniform_: expected bounds that hold a value of float8_e4m3fn for a',
  );
  expect(w.data).toEqual(new Uint8Array(4).fill(7));
});

test('strides that say C order are taken, from their offset on, and others refused: a fill would write to other elements', () => {
  const ones = (tensor: object) => init.ones_(tensor as never);
  const bytes = new Uint8Array(12);
  ones({ data: bytes, shape: [2, 3], stride: [3, 1], offset: 4, dtype: 'uint8' });
  expect([...bytes]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]);
  const pairs = new Uint8Array(3);
  ones({ data: pairs, shape: [1, 2], strides: [2, 1], offset: 2, dtype: 'float4_e2m1fn' });
  expect([...pairs]).toEqual([0, 0x22, 0]);
  const transposed = { data: new Int8Array(12), shape: [3, 4], stride: [1, 3], offset: 0, dtype: 'int8' };
  expect(() => init.eye_(transposed as never)).toThrow(/eye_: expected strides of elements in C order.*\[1, 3\]/);
  expect([...transposed.data]).toEqual(new Array(12).fill(0));
  const odd = { data: pairs, shape: [2], stride: [1], offset: 1, dtype: 'float4_e2m1fn' };
  expect(() => ones(odd)).toThrow(/an even number \(dtype float4_e2m1fn\) for offset, but received 1/);
  expect(() => ones({ ...odd, data: [0, 0] })).toThrow(/a Uint8Array .* for data/);
});
