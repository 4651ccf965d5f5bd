import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { Dtype } from '../../lib/core/dtype.js';
import { createPool, empty, fillSlice, Generator, type Initializer } from '../../lib/index.js';
import { bytes } from './cases.js';

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

const initializers: readonly Initializer[] = [
  'xavier_uniform',
  { init: 'normal', std: 0.02 },
  { init: 'trunc_normal', std: 0.5 },
  'ones',
  'eye',
  'orthogonal',
  { init: 'sparse', sparsity: 0.5 },
];

/** From tiny to more than one range of a worker. */
const sides = [5, 60, 420] as const;

test('the bytes of fillSlice, and the generator moves on alike', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...initializers),
      fc.constantFrom<Dtype[]>('float32', 'float64', 'float16', 'bfloat16'),
      fc.constantFrom('philox' as const, 'torch' as const),
      fc.constantFrom(...sides),
      fc.tuple(fc.nat(1000), fc.nat(1000), fc.constantFrom(0, 1)),
      fc.boolean(),
      async (initializer, dtype, engine, side, [from, more, dim], shared) => {
        const start = from % side;
        const range = { dim, start, length: more % (side - start + 1) };
        const shape = [side, side].map((size, each) => (each === dim ? range.length : size));
        const make = () => new Generator({ seed: 3, engine });
        const [here, there] = [make(), make()];
        const of = { of: [side, side], ranges: [range] };
        const expected = fillSlice(empty(shape, { dtype }), initializer, { ...of, generator: here });
        const w = empty(shape, { dtype, shared });
        expect(await pool.fillSlice(w, initializer, { ...of, generator: there })).toBe(w);
        expect(bytes(w).equals(bytes(expected))).toBe(true);
        expect(there.get_state()).toEqual(here.get_state());
      },
    ),
    { numRuns: 200 },
  );
});

test('in the engine torch it waits for its turn', async () => {
  const [here, there] = [new Generator({ engine: 'torch' }), new Generator({ engine: 'torch' })];
  const slice = { of: [500, 300], ranges: [{ dim: 1, start: 7, length: 100 }] };
  const fills: readonly Initializer[] = ['trunc_normal', 'normal', { init: 'trunc_normal', std: 2 }, 'orthogonal'];
  const all = await Promise.all(
    fills.map((each) => pool.fillSlice(pool.empty([500, 100]), each, { ...slice, generator: there })),
  );
  for (const [i, each] of fills.entries()) {
    const expected = fillSlice(empty([500, 100]), each, { ...slice, generator: here });
    expect(bytes(all[i] as never).equals(bytes(expected))).toBe(true);
  }
});

test.each(['trunc_normal', 'orthogonal'] as const)('an abort of %s, and progress', async (initializer) => {
  const of = [1500, 1500];
  const ranges = [{ dim: 0, start: 100, length: 1000 }];
  const w = pool.empty([1000, 1500]);
  const controller = new AbortController();
  const running = pool.fillSlice(w, initializer, { of, ranges, signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
  const reports: number[] = [];
  await pool.fillSlice(w, initializer, { of, ranges, onProgress: ({ elements }) => reports.push(elements) });
  expect(reports.at(-1)).toBe(initializer === 'orthogonal' ? 1500 * 1500 : 1000 * 1500);
});

test('refusals are rejections', async () => {
  const fill = pool.fillSlice.bind(pool) as unknown as (...args: unknown[]) => Promise<unknown>;
  const ranges = [{ dim: 0, start: 0, length: 2 }];
  await expect(fill(empty([2, 3]), 'normal', { of: [4, 4], ranges })).rejects.toThrow('the shape of the part, [2, 4]');
  await expect(fill(empty([2, 4]), 'normal', { of: [4, 4], range: ranges })).rejects.toThrow("did you mean 'ranges'?");
  await expect(fill(empty([2, 4]), 'normal', { of: [4, 4], ranges, signal: 1 })).rejects.toThrow('an AbortSignal');
});
