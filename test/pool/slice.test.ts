import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { Dtype } from '../../lib/core/dtype.js';
import {
  createPool,
  empty,
  fillSlice,
  Generator,
  type Initializer,
  init,
  type NarrowTensor,
  resolve,
  runFill,
} from '../../lib/index.js';
import { bytes } from './cases.js';

/** A narrow tensor's codes, each in a byte. */
const codes = ({ data, dtype }: NarrowTensor): number[] => {
  const all = [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
  return dtype === 'float4_e2m1fn' ? all.flatMap((byte) => [byte & 15, byte >> 4]) : all;
};

/** The whole, by another way. */
async function fill<T extends NarrowTensor>(tensor: T, initializer: Initializer, generator: Generator): Promise<T> {
  await pool.fill([{ tensor, initializer }], { generator });
  return tensor;
}

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

const places = fc.tuple(fc.nat(1000), fc.nat(1000), fc.constantFrom(0, 1));

/** A part of a square: some of its rows or columns. */
function partOf(side: number, [from, more, dim]: readonly [number, number, number]) {
  const start = from % side;
  const range = { dim, start, length: more % (side - start + 1) };
  return { range, shape: [side, side].map((size, each) => (each === dim ? range.length : size)) };
}

test('the bytes of fillSlice, and the generator moves on alike', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...initializers),
      fc.constantFrom<Dtype[]>('float32', 'float64', 'float16', 'bfloat16'),
      fc.constantFrom('philox' as const, 'torch' as const),
      fc.constantFrom(...sides),
      places,
      fc.boolean(),
      async (initializer, dtype, engine, side, place, shared) => {
        const { range, shape } = partOf(side, place);
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

test('narrow tensors: slices and ranges have the bytes of the whole', async () => {
  const dtypes = ['float8_e4m3fn', 'float8_e5m2', 'float4_e2m1fn', 'int8', 'uint8'] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Initializer>('xavier_uniform', { init: 'trunc_normal', std: 0.5 }, 'ones', 'orthogonal'),
      fc.constantFrom(...dtypes),
      fc.constantFrom('philox' as const, 'torch' as const),
      fc.constantFrom(6, 60, 420),
      places,
      fc.boolean(),
      async (initializer, dtype, engine, side, place, shared) => {
        const { range, shape } = partOf(side, place);
        const of = { of: [side, side], ranges: [range] };
        const make = () => new Generator({ seed: 3, engine });
        const [whole, here, there] = [make(), make(), make()];
        // Of the whole, the codes of the part, one in each byte.
        const all = codes(await fill(empty([side, side], { dtype }), initializer, whole));
        const ours = all.filter((_, i) => {
          const index = range.dim === 0 ? Math.floor(i / side) : i % side;
          return index >= range.start && index < range.start + range.length;
        });
        const options = { dtype, shared };
        const single = fillSlice(empty(shape, options), initializer, { ...of, generator: here });
        const pooled = await pool.fillSlice(empty(shape, options), initializer, { ...of, generator: there });
        expect(codes(single)).toEqual(ours);
        expect(codes(pooled)).toEqual(ours);
        expect(here.get_state()).toEqual(whole.get_state());
        expect(there.get_state()).toEqual(whole.get_state());
      },
    ),
    { numRuns: 100 },
  );
});

test('narrow tensors: runFill makes ranges of whole bytes', async () => {
  const [dtype, n] = ['float4_e2m1fn', 200_000] as const;
  const whole = await fill(empty([n], { dtype }), 'normal', new Generator({ seed: 5 }));
  const normal = resolve('normal', [n]);
  const key = new Generator({ seed: 5 }).nextKey(normal, 'float32', n);
  const [here, there] = [new Uint8Array(n / 2), new Uint8Array(new SharedArrayBuffer(n / 2))];
  for (const begin of [0, 70_002]) {
    const end = begin === 0 ? 70_002 : n;
    expect(runFill(here.subarray(begin / 2, end / 2), dtype, normal, key, begin)).toBe(true);
    await pool.runFill(there.subarray(begin / 2, end / 2), dtype, normal, key, begin);
  }
  expect(here).toEqual(whole.data);
  expect(new Uint8Array(there)).toEqual(whole.data);
  expect(() => runFill(here, dtype, normal, key, 3)).toThrow(
    'runFill: expected an even number (dtype float4_e2m1fn) for begin',
  );
  await expect(pool.runFill(here, dtype, normal, key, 3)).rejects.toThrow('an even number');
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

test('an empty part that waits for its turn ends, and the generator moves past the whole', async () => {
  const [one, other] = [new Generator({ engine: 'torch', seed: 3 }), new Generator({ engine: 'torch', seed: 3 })];
  const part = { of: [40, 2], ranges: [{ dim: 0, start: 7, length: 0 }] };
  const first = pool.init.trunc_normal_(empty([100]), { generator: one });
  await pool.fillSlice(empty([0, 2]), 'normal', { ...part, generator: one });
  await first;
  init.trunc_normal_(empty([100]), { generator: other });
  fillSlice(empty([0, 2]), 'normal', { ...part, generator: other });
  expect(one.get_state()).toEqual(other.get_state());
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
