import { afterAll, expect, test } from 'vitest';
import {
  createPool,
  empty,
  init,
  type NarrowDtype,
  type NarrowTensor,
  type Progress,
  tensor,
} from '../../lib/index.js';
import { cases, functionsOf, generator } from './cases.js';

const pools = [1, 3].map((threads) => createPool({ threads }));
const [, pool] = pools as [(typeof pools)[0], (typeof pools)[0]];
afterAll(() => Promise.all(pools.map((each) => each.close())));

const dtypes: readonly NarrowDtype[] = ['float8_e4m3fn', 'float4_e2m1fn', 'int8'];
const names = [
  'uniform_',
  'normal_',
  'trunc_normal_',
  'constant_',
  'eye_',
  'kaiming_normal_',
  'orthogonal_',
  'sparse_',
];
const isRandom = (name: string) => !['constant_', 'eye_'].includes(name);

const bytes = ({ data }: NarrowTensor): Buffer =>
  Buffer.from(Buffer.from(data.buffer, data.byteOffset, data.byteLength));

test.each(dtypes)(
  '%s: the bytes of the synchronous functions, in both engines, on memory of every kind',
  async (dtype) => {
    const chosen = cases.filter((each) => names.includes(each.name));
    expect(new Set(chosen.map(({ name }) => name))).toEqual(new Set(names));
    for (const { name, shapes, fill } of chosen) {
      for (const engine of ['philox', 'torch'] as const) {
        for (const odd of shapes) {
          const shape = [...odd.slice(0, -1), 2 * (odd.at(-1) ?? 0)];
          const options = () => (isRandom(name) ? { generator: generator(engine) } : {});
          const expected = empty(shape, { dtype });
          fill(functionsOf(init), expected as never, options());
          for (const each of pools) {
            for (const got of [
              empty(shape, { dtype }),
              empty(shape, { dtype, shared: true }),
              each.empty(shape, { dtype }),
            ]) {
              await fill(functionsOf(each.init), got as never, options());
              expect(bytes(got).equals(bytes(expected)), `${name} ${engine} [${shape}]`).toBe(true);
            }
          }
        }
      }
    }
  },
);

test.each(['philox', 'torch'] as const)('lists draw what the same calls of init draw (%s)', async (engine) => {
  const items = [
    { shape: [64, 64], dtype: 'float8_e4m3fn', initializer: 'normal' },
    { shape: [512, 1024], dtype: 'float4_e2m1fn', initializer: { init: 'trunc_normal', std: 2 } },
    { shape: [1000, 300], dtype: 'float32', initializer: 'normal' },
    { shape: [1000, 300], dtype: 'int8', initializer: { init: 'normal', std: 30 } },
    { shape: [8, 8], dtype: 'float8_e5m2', initializer: 'orthogonal' },
    { shape: [0], dtype: 'uint8', initializer: 'ones' },
  ] as const;
  const own = generator(engine);
  const expected = items.map(({ shape, dtype, initializer }) => {
    const { init: name, ...rest } = typeof initializer === 'string' ? { init: initializer } : initializer;
    const options = name === 'ones' ? rest : { ...rest, generator: own };
    return functionsOf(init)[`${name}_`]?.(empty(shape, { dtype }) as never, options) as NarrowTensor;
  });
  const tensors = items.map(({ shape, dtype }, i) => empty(shape, { dtype, shared: i % 2 === 0 }) as NarrowTensor);
  const reports: Progress[] = [];
  const list = items.map(({ initializer }, i) => ({ tensor: tensors[i] as NarrowTensor, initializer }));
  const options = { generator: generator(engine), onProgress: (each: Progress) => reports.push(each) };
  const result = await pool.fill(list, options);
  expect(tensors.map((each, i) => bytes(each).equals(bytes(expected[i] as NarrowTensor)))).not.toContain(false);
  const elements = 4096 + 524_288 + 300_000 + 300_000 + 64;
  expect(result).toEqual({ tensors: 6, elements, bytes: 4096 + 262_144 + 1_200_000 + 300_000 + 64 });
  expect(reports.at(-1)).toMatchObject({
    elements,
    totalElements: elements,
    bytes: result.bytes,
    totalBytes: result.bytes,
  });
});

test('leaves what is around a part of a buffer', async () => {
  const all = new Uint8Array(new SharedArrayBuffer(1_000_000)).fill(0xee);
  const part = tensor(all.subarray(33, 900_033), [900, 2000], { dtype: 'float4_e2m1fn' });
  await pool.init.normal_(part, { generator: generator() });
  const expected = init.normal_(empty([900, 2000], { dtype: 'float4_e2m1fn' }), { generator: generator() });
  expect(bytes(part).equals(bytes(expected))).toBe(true);
  expect([...all.subarray(0, 33), ...all.subarray(900_033)].every((byte) => byte === 0xee)).toBe(true);
});

test('memory goes round, and is refused while it is not there', async () => {
  const w = pool.empty([1000, 1000], { dtype: 'int8' });
  expect(w.data).toBeInstanceOf(Int8Array);
  const { buffer } = w.data;
  pool.release(w);
  await expect(pool.init.normal_(w)).rejects.toThrow('the tensor was released');
  expect(pool.empty([500, 1000], { dtype: 'bfloat16' }).data.buffer).toBe(buffer);
  expect(() => pool.empty([3], { dtype: 'float4_e2m1fn' })).toThrow('expected an even number of elements in all');
});

test('what does not fit is refused, and an aborted fill rejects', async () => {
  const w = pool.empty([4096, 4096], { dtype: 'float8_e4m3fn' });
  await expect(pool.init.constant_(w, Number.NaN)).rejects.toThrow(
    'constant_: expected a finite number in float8_e4m3fn for val',
  );
  await expect(pool.fill([{ tensor: w, initializer: { init: 'uniform', a: 17.1, b: 17.2 } }])).rejects.toThrow(
    'uniform: expected bounds that hold a value of float8_e4m3fn for a',
  );
  expect(bytes(w).every((byte) => byte === 0)).toBe(true);
  const control = new AbortController();
  const filled = pool.init.normal_(w, { signal: control.signal });
  control.abort(new Error('enough'));
  await expect(filled).rejects.toThrow('enough');
});
