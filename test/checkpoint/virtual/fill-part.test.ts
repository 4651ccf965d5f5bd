import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fillPart } from '../../../lib/checkpoint/virtual/fill-part.js';
import { type Dtype, dtypes } from '../../../lib/core/dtype.js';
import type { Key } from '../../../lib/native/addon.js';
import { type PlannedTensor, type ResolvedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { type SliceRange, shapeOfSlice } from '../../../lib/tensor/slice.js';
import { fuzzed } from '../../fuzz/fuzzed.js';

const key: Key = { seed: 7n, stream: 3n };

function resolved(tensor: Omit<PlannedTensor, 'name'>): ResolvedTensor {
  const [found] = resolvePlan({ tensors: [{ name: 'w', ...tensor }] });
  if (found === undefined) throw new Error('nothing was resolved');
  return found;
}

function sliced(tensor: ResolvedTensor, ranges: readonly SliceRange[]): ResolvedTensor {
  const slice = { shape: tensor.shape, ranges };
  const shape = shapeOfSlice(slice);
  const elements = shape.reduce((product, n) => product * n, 1);
  return { ...tensor, shape, elements, bytes: elements * dtypes[tensor.dtype as Dtype].bytes, slice };
}

function filled(tensor: ResolvedTensor, begin = 0, end = tensor.elements): Uint8Array {
  const size = tensor.bytes / tensor.elements;
  const bytes = new Uint8Array((end - begin) * size).fill(0xaa);
  fillPart(tensor, bytes, begin, key, 1);
  return bytes;
}

/** The part of a matrix, by the definition. */
function cutOut(whole: Uint8Array, [rows, cols]: [number, number], ranges: readonly SliceRange[], size: number) {
  const range = (dim: number, n: number) => ranges.find((each) => each.dim === dim) ?? { start: 0, length: n };
  const [r, c] = [range(0, rows), range(1, cols)];
  const parts: Uint8Array[] = [];
  for (let row = r.start; row < r.start + r.length; row++) {
    const first = (row * cols + c.start) * size;
    parts.push(whole.subarray(first, first + c.length * size));
  }
  return Buffer.concat(parts);
}

test('any part of any slice has the bytes of the whole, for every kind of fill and dtype', () => {
  const initializers = fc.constantFrom<PlannedTensor['initializer'][]>(
    { init: 'normal', std: 0.02 },
    'uniform',
    'trunc_normal',
    'eye',
    'ones',
    'orthogonal',
    { init: 'sparse', sparsity: 0.4 },
  );
  fc.assert(
    fc.property(
      initializers,
      fc.constantFrom<Dtype[]>('float32', 'float64', 'float16', 'bfloat16'),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 300 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 }),
      fc.subarray([0, 1]),
      (initializer, dtype, rows, cols, [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0], dims) => {
        const tensor = resolved({ shape: [rows, cols], dtype, initializer });
        const range = (dim: number, n: number, from: number, to: number) => {
          const start = Math.floor(from * (n - 1));
          return { dim, start, length: 1 + Math.floor(to * (n - 1 - start)) };
        };
        const ranges = [range(0, rows, a, b), range(1, cols, c, d)].filter(({ dim }) => dims.includes(dim));
        const part = sliced(tensor, ranges);
        const size = dtypes[dtype].bytes;
        const expected = cutOut(filled(tensor), [rows, cols], ranges, size);
        expect(Buffer.compare(filled(part), expected)).toBe(0);
        const begin = Math.floor(e * part.elements);
        const end = begin + Math.floor(f * (part.elements - begin));
        expect(Buffer.compare(filled(part, begin, end), expected.subarray(begin * size, end * size))).toBe(0);
      },
    ),
    fuzzed(300),
  );
});

test('what no kernel fills is zeros', () => {
  const tensor = resolved({ shape: [6], dtype: 'float32', initializer: 'zeros' });
  const counter = { ...tensor, dtype: 'int64', bytes: 48 } as unknown as ResolvedTensor;
  expect(filled(counter)).toEqual(new Uint8Array(48));
});

test('a tensor without elements is no work', () => {
  const tensor = resolved({ shape: [0, 4], dtype: 'float32', initializer: 'normal' });
  expect(() => fillPart(tensor, new Uint8Array(0), 0, key, 1)).not.toThrow();
});
