// Fills of one memory come one after another, whoever asks for them.
import { afterAll, expect, test } from 'vitest';
import { createPool, empty, fillSlice, Generator, init, type Tensor } from '../../lib/index.js';

const pool = createPool({ threads: 2 });
const other = createPool({ threads: 2 });
afterAll(() => Promise.all([pool.close(), other.close()]));

const bytes = ({ data }: Tensor) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const values = ({ data }: Tensor) => [...new Set(data)];
const constant = (val: number) => ({ init: 'constant', val }) as const;
const kinds: [string, (shape: number[]) => Tensor][] = [
  ['shared memory', (shape) => pool.empty(shape)],
  ['ordinary memory', (shape) => empty(shape)],
];

test.each(kinds)('a list that has a tensor twice leaves the last of its values, in %s', async (_name, make) => {
  for (let round = 0; round < 20; round++) {
    const tensor = make([700, 700]);
    const items = [1, 2, 3, 4].map((val) => ({ tensor, initializer: constant(val) }));
    await pool.fill(items);
    expect(values(tensor)).toEqual([4]);
  }
});

test.each(kinds)(
  'calls for one tensor, on two pools, have the bytes of the same calls of init, in %s',
  async (_name, make) => {
    const [tensor, alike] = [make([600, 600]), empty([600, 600])];
    const one = new Generator({ seed: 1 });
    const fills = [
      pool.init.orthogonal_(tensor, { generator: one }),
      other.init.normal_(tensor, { generator: one }),
      pool.init.uniform_(tensor, { generator: one }),
      other.init.trunc_normal_(tensor, { generator: one }),
    ];
    await Promise.all(fills);
    const again = new Generator({ seed: 1 });
    init.orthogonal_(alike, { generator: again });
    init.normal_(alike, { generator: again });
    init.uniform_(alike, { generator: again });
    init.trunc_normal_(alike, { generator: again });
    expect(Buffer.compare(bytes(tensor), bytes(alike))).toBe(0);
  },
);

test('views that overlap wait for one another, and those that lie beside do not', async () => {
  const { data } = pool.empty([2 ** 20]);
  const view = (begin: number, end: number): Tensor => ({
    data: data.subarray(begin, end) as Float32Array,
    shape: [end - begin],
    dtype: 'float32',
  });
  const calls: [number, number, number][] = [
    [0, 600_000, 1],
    [500_000, 2 ** 20, 2],
    [550_000, 560_000, 3],
    [0, 10, 4],
    [600_000, 600_001, 5],
  ];
  await Promise.all(calls.map(([begin, end, val]) => pool.init.constant_(view(begin, end), val)));
  const expected = new Float32Array(2 ** 20);
  for (const [begin, end, val] of calls) expected.fill(val, begin, end);
  expect(data.findIndex((x, i) => x !== expected[i])).toBe(-1);
});

test('a small tensor that would be filled at once waits as well', async () => {
  const tensor = empty([90, 90]);
  await pool.fill([
    { tensor, initializer: 'orthogonal' },
    { tensor, initializer: 'zeros' },
  ]);
  expect(values(tensor)).toEqual([0]);
});

test('one that waits may be aborted, and those behind it go on', async () => {
  const tensor = pool.empty([2 ** 22]);
  const controller = new AbortController();
  const first = pool.init.trunc_normal_(tensor);
  const second = pool.init.ones_(tensor, { signal: controller.signal });
  const third = pool.init.constant_(tensor, 3);
  controller.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  await first;
  await third;
  expect(values(tensor)).toEqual([3]);
});

test('a pool that closes waits for those that wait, and by force drops them', async () => {
  const own = createPool({ threads: 1 });
  const tensor = own.empty([2 ** 20]);
  const fills = [own.init.normal_(tensor), own.init.ones_(tensor)];
  await own.close();
  expect(await Promise.all(fills)).toEqual([tensor, tensor]);
  expect(values(tensor)).toEqual([1]);
  const forced = createPool({ threads: 1 });
  const dropped = [1, 2, 3].map((val) => forced.init.constant_(tensor, val));
  const settled = Promise.allSettled(dropped);
  await forced.close({ force: true });
  for (const { status } of await settled) expect(status).toBe('rejected');
  await pool.init.constant_(tensor, 7); // and nothing stays behind
  expect(values(tensor)).toEqual([7]);
});

test.each(kinds)('a slice of what is made whole takes its turn too, in %s', async (_name, make) => {
  const [tensor, alike] = [make([300, 300]), empty([300, 300])];
  const one = new Generator({ seed: 3 });
  const slice = { of: [400, 300], ranges: [{ dim: 0, start: 50, length: 300 }] };
  await Promise.all([
    pool.init.normal_(tensor, { generator: one }),
    pool.fillSlice(tensor, 'orthogonal', { ...slice, generator: one }),
    other.init.uniform_(tensor, { generator: one }),
  ]);
  const again = new Generator({ seed: 3 });
  init.normal_(alike, { generator: again });
  fillSlice(alike, 'orthogonal', { ...slice, generator: again });
  init.uniform_(alike, { generator: again });
  expect(Buffer.compare(bytes(tensor), bytes(alike))).toBe(0);

  await Promise.all([
    other.init.constant_(tensor, 7),
    pool.fillSlice(tensor, 'orthogonal', { ...slice, generator: one }),
  ]);
  fillSlice(alike, 'orthogonal', { ...slice, generator: again });
  expect(Buffer.compare(bytes(tensor), bytes(alike))).toBe(0);
});
