import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Dtype } from '../../lib/core/dtype.js';
import { fillSlice, shardRange } from '../../lib/init/fill-slice.js';
import * as init from '../../lib/init/init.js';
import type { Initializer } from '../../lib/init/initializers.js';
import { type Engine, Generator } from '../../lib/random/generator.js';
import { checkSlice, runsOf, type SliceRange, shapeOfSlice } from '../../lib/tensor/slice.js';
import { empty, type Tensor } from '../../lib/tensor/tensor.js';
import { fuzzed } from '../fuzz/fuzzed.js';

function partOf(whole: Tensor, ranges: readonly SliceRange[]) {
  const slice = checkSlice('test', whole.shape, ranges);
  const shape = shapeOfSlice(slice);
  const { data } = empty(shape, { dtype: whole.dtype });
  for (const run of runsOf(slice, 0, data.length)) {
    data.set(whole.data.subarray(run.begin, run.begin + run.length), run.at);
  }
  return { data, shape };
}

const equalBounds: Initializer = { init: 'uniform', a: 1, b: 1 };

const fills: readonly [Initializer, (w: Tensor, generator: Generator) => Tensor][] = [
  ['xavier_uniform', (w, generator) => init.xavier_uniform_(w, { generator })],
  [{ init: 'normal', std: 0.02 }, (w, generator) => init.normal_(w, { std: 0.02, generator })],
  [{ init: 'trunc_normal', std: 0.5 }, (w, generator) => init.trunc_normal_(w, { std: 0.5, generator })],
  [equalBounds, (w, generator) => init.uniform_(w, { a: 1, b: 1, generator })],
  ['ones', (w) => init.ones_(w)],
  ['eye', (w) => init.eye_(w)],
  ['orthogonal', (w, generator) => init.orthogonal_(w, { generator })],
  [{ init: 'sparse', sparsity: 0.5 }, (w, generator) => init.sparse_(w, 0.5, { generator })],
];

test('a part is the slice of the whole, and the generator moves on alike', () => {
  const range = (dim: number) =>
    fc.tuple(fc.nat(59), fc.nat(60)).map(([start, length]) => ({ dim, start, length: Math.min(length, 60 - start) }));
  const ranges = fc.oneof(
    fc.constant([]),
    range(0).map((each) => [each]),
    range(1).map((each) => [each]),
    range(-1).map((each) => [each]),
    fc.tuple(range(0), range(1)),
  );
  const dtypes = fc.constantFrom<Dtype[]>('float32', 'float64', 'float16', 'bfloat16');
  const engines = fc.constantFrom<Engine[]>('philox', 'torch');
  fc.assert(
    fc.property(fc.constantFrom(...fills), dtypes, ranges, engines, ([initializer, fill], dtype, given, engine) => {
      fc.pre(engine === 'philox' || initializer !== equalBounds);
      const [one, other] = [new Generator({ seed: 3, engine }), new Generator({ seed: 3, engine })];
      init.normal_(empty([5]), { generator: one });
      init.normal_(empty([5]), { generator: other });
      const expected = partOf(fill(empty([60, 60], { dtype }), one), given);
      const part = empty(expected.shape, { dtype });
      expect(fillSlice(part, initializer, { of: [60, 60], ranges: given, generator: other, threads: 2 })).toBe(part);
      expect(part.data).toEqual(expected.data);
      expect(other.get_state()).toEqual(one.get_state());
    }),
    fuzzed(300),
  );
});

test('many dimensions, more loops than the native side takes', () => {
  const of = Array.from({ length: 19 }, () => 2);
  const ranges = of.flatMap((_, dim) => (dim % 2 === 1 ? [{ dim, start: 1, length: 1 }] : []));
  const whole = init.normal_(empty(of), { generator: new Generator({ seed: 1 }) });
  const expected = partOf(whole, ranges);
  const part = fillSlice(empty(expected.shape), 'normal', { of, ranges, generator: new Generator({ seed: 1 }) });
  expect(part.data).toEqual(expected.data);
});

test('a slice of a tensor that no memory holds', () => {
  const of = [2 ** 26, 2 ** 20];
  const generator = () => new Generator({ seed: 9 });
  const corner = { dim: 1, start: 2 ** 20 - 3, length: 3 };
  const rows = (start: number, length: number) =>
    fillSlice(empty([length, 3]), 'normal', {
      of,
      ranges: [{ dim: 0, start, length }, corner],
      generator: generator(),
    });
  const four = rows(2 ** 26 - 4, 4).data;
  expect(rows(2 ** 26 - 2, 2).data).toEqual(four.subarray(6));
  expect(new Set(four).size).toBe(12);
});

test('refused before a byte is written or a number drawn', () => {
  const part = empty([2, 3]);
  part.data.fill(7);
  const generator = new Generator({ seed: 1 });
  const state = generator.get_state();
  const ranges = [{ dim: 0, start: 0, length: 2 }];
  const refuse = (options: unknown, initializer: unknown = 'normal') =>
    expect(() =>
      fillSlice(part, initializer as Initializer, { generator, ...(options as { of: number[]; ranges: [] }) }),
    );
  refuse({ of: [4, 4], ranges }).toThrow('expected the shape of the part, [2, 4], for tensor, but received [2, 3]');
  refuse({ of: [2], ranges }).toThrow('expected the shape of the part, [2], for tensor');
  refuse({ of: [1, 3], ranges }).toThrow('expected an integer from 0 to 1 for ranges[0].length');
  refuse({ ranges }).toThrow('fillSlice: expected an array of integers ≥ 0 for of, but received undefined');
  refuse({ of: [4, -3], ranges }).toThrow('fillSlice: expected an integer ≥ 0 for of[1], but received -3');
  refuse({ of: [4, 3], ranges: new Array(1) }).toThrow('expected an object { dim, start, length } for ranges[0]');
  refuse({ of: [4, 3], ranges, threads: 0 }).toThrow('for threads');
  refuse({ of: [4, 3], ranges, generator: {} }).toThrow('expected a Generator for generator');
  refuse({ of: [4, 3], ranges, seed: 1 }).toThrow("expected one of 'of', 'ranges', 'generator', 'threads'");
  refuse({ of: [4, 3], ranges }, 'norma').toThrow(/^fillSlice: expected one of .* \(did you mean 'normal'\?\)$/);
  refuse({ of: [4, 3], ranges }, 5).toThrow('fillSlice: expected a name or a plain object with a name in init');
  refuse({ of: [4, 3], ranges }, { init: 'normal', std: -1 }).toThrow(RangeError);
  const corner = [ranges[0], { dim: 1, start: 0, length: 3 }];
  refuse({ of: [2 ** 26, 2 ** 24], ranges: corner }, 'orthogonal').toThrow(
    /^fillSlice: expected a shape of at most \d+ bytes, since orthogonal tensors are made whole, for of, but received \[67108864, 16777216\]/,
  );
  expect(new Set(part.data)).toEqual(new Set([7]));
  expect(generator.get_state()).toEqual(state);
  refuse({ of: [4, 3], ranges }).not.toThrow();
});

test.each([
  [0.5, 8, 2, 0, 'dim'],
  [0, -1, 2, 0, 'size'],
  [0, 8, 0, 0, 'parts'],
  [0, 8, 2, 2, 'part'],
  [0, 8, 2, -1, 'part'],
])('there is no range of (%d, %d, %d, %d)', (dim, size, parts, part, argument) => {
  const refused = new RegExp(`^shardRange: expected an integer.* for ${argument}, but received`);
  expect(() => shardRange(dim, size, parts, part)).toThrow(refused);
});

test('ranges as torch.chunk cuts them', () => {
  const parts = (size: number, count: number) =>
    Array.from({ length: count }, (_, part) => {
      const { dim, start, length } = shardRange(1, size, count, part);
      expect(dim).toBe(1);
      return [start, length];
    });
  // torch.arange(10).chunk(4): 3, 3, 3, 1; DTensor gives the ranks without a chunk an empty part.
  expect(parts(10, 4)).toEqual([
    [0, 3],
    [3, 3],
    [6, 3],
    [9, 1],
  ]);
  expect(parts(5, 4)).toEqual([
    [0, 2],
    [2, 2],
    [4, 1],
    [5, 0],
  ]);
  expect(parts(0, 2)).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(() => shardRange(0, 4, 2, 2)).toThrow('shardRange: expected an integer from 0 to 1 for part');
});
