import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkSlice, gridOf, runsOf, type Slice, shapeOfSlice } from '../../lib/tensor/slice.js';
import { fuzzed } from '../fuzz/fuzzed.js';

const slices = fc
  .array(fc.nat(5), { maxLength: 5 })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      ranges: fc.tuple(
        ...shape.map((size, dim) =>
          fc.option(
            fc.nat(size).chain((start) => fc.nat(size - start).map((length) => ({ dim, start, length }))),
            { nil: undefined },
          ),
        ),
      ),
    }),
  )
  .map(({ shape, ranges }): Slice => ({ shape, ranges: ranges.filter((range) => range !== undefined) }));

/** The indices of a slice's elements within the whole, by the definition. */
function indices({ shape, ranges }: Slice): number[] {
  let found = [0];
  for (const [dim, size] of shape.entries()) {
    const { start, length } = ranges.find((range) => range.dim === dim) ?? { start: 0, length: size };
    found = found.flatMap((index) => Array.from({ length }, (_, i) => index * size + start + i));
  }
  return found;
}

test('the runs of any part of any slice are its elements, in order', () => {
  fc.assert(
    fc.property(slices, fc.nat(), fc.nat(), (slice, a, b) => {
      const expected = indices(slice);
      const begin = a % (expected.length + 1);
      const end = begin + (b % (expected.length - begin + 1));
      const found: number[] = [];
      for (const run of runsOf(slice, begin, end)) {
        expect(run.at).toBe(found.length);
        expect(run.length).toBeGreaterThan(0);
        for (let i = 0; i < run.length; i++) found.push(run.begin + i);
      }
      expect(found).toEqual(expected.slice(begin, end));
      expect(shapeOfSlice(slice).reduce((product, n) => product * n, 1)).toBe(expected.length);
    }),
    fuzzed(1000),
  );
});

test('dimensions that memory does not tell apart are one run', () => {
  const runs = (shape: number[], ranges: Slice['ranges']) => {
    const grid = gridOf({ shape, ranges });
    return [grid?.offset, grid?.length, grid?.loops.map(({ count, stride }) => [count, stride])];
  };
  expect(runs([8, 4, 6], [])).toEqual([0, 192, []]);
  expect(runs([8, 4, 6], [{ dim: 0, start: 2, length: 3 }])).toEqual([48, 72, []]);
  expect(runs([8, 4, 6], [{ dim: 1, start: 1, length: 2 }])).toEqual([6, 12, [[8, 24]]]);
  expect(runs([8, 4, 6], [{ dim: 2, start: 5, length: 1 }])).toEqual([5, 1, [[32, 6]]]);
  expect(
    runs(
      [8, 4, 6],
      [
        { dim: 1, start: 0, length: 2 },
        { dim: 2, start: 3, length: 2 },
      ],
    ),
  ).toEqual([
    3,
    2,
    [
      [8, 24],
      [2, 6],
    ],
  ]);
  expect(runs([], [])).toEqual([0, 1, []]);
  expect(gridOf({ shape: [3, 0], ranges: [] })).toBeUndefined();
});

test('indices beyond 2^32 are exact', () => {
  const slice = { shape: [2 ** 20, 2 ** 30], ranges: [{ dim: 1, start: 2 ** 29 + 1, length: 3 }] };
  const last = 3 * (2 ** 20 - 1);
  expect([...runsOf(slice, last + 1, last + 3)]).toEqual([
    { begin: (2 ** 20 - 1) * 2 ** 30 + 2 ** 29 + 2, length: 2, at: 0 },
  ]);
});

test('a slice is checked, and a negative dim counts from the end', () => {
  const ranges = [{ dim: -1, start: 2, length: 3 }];
  expect(checkSlice('f', [4, 5], ranges)).toEqual({ shape: [4, 5], ranges: [{ dim: 1, start: 2, length: 3 }] });
  const refuse = (shape: unknown, given: unknown) => expect(() => checkSlice('f', shape, given));
  refuse([4, 5], { dim: 0 }).toThrow(/^f: expected an array of \{ dim, start, length \} for ranges, but received/);
  refuse([4, 5], [null]).toThrow(/^f: expected an object \{ dim, start, length \} for ranges\[0\]/);
  refuse([4, 5], [{ dim: 2, start: 0, length: 1 }]).toThrow(/^f: expected an integer from -2 to 1 for ranges\[0\].dim/);
  refuse([4, 5], [{ dim: 1, start: 3, length: 3 }]).toThrow(/expected an integer from 0 to 2 for ranges\[0\].length/);
  refuse([4, 5], [{ dim: 1, start: 6, length: 0 }]).toThrow(/expected an integer from 0 to 5 for ranges\[0\].start/);
  refuse([4, 5], [{ dim: 1, start: 1.5, length: 1 }]).toThrow(RangeError);
  refuse([4, 5], [{ dim: 1, start: '1', length: 1 }]).toThrow(TypeError);
  refuse([4, 5], [{ dim: 1, start: 0, lenght: 1 }]).toThrow(/did you mean 'length'/);
  refuse([], [{ dim: 0, start: 0, length: 1 }]).toThrow(/no range for a shape without dimensions/);
  refuse(
    [4, 5],
    [
      { dim: 1, start: 0, length: 1 },
      { dim: -1, start: 2, length: 1 },
    ],
  ).toThrow(/each dimension at most once for ranges\[1\].dim/);
});
