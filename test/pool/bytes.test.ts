import { afterAll, describe, expect, test } from 'vitest';
import {
  createPool,
  empty,
  Generator,
  init,
  initializers,
  manual_seed,
  type Name,
  resolve,
  tensor,
} from '../../lib/index.js';
import { nextKey } from '../support.js';
import { bytes, cases, functionsOf, generator } from './cases.js';

const pools = [1, 2, 3].map((threads) => createPool({ threads }));
afterAll(() => Promise.all(pools.map((pool) => pool.close())));

const dtypes = ['float32', 'float64', 'float16', 'bfloat16'] as const;

describe('the same bytes as the synchronous functions', () => {
  test('for every initializer of the table', () => {
    expect(cases.map(({ name }) => name).sort()).toEqual(
      Object.keys(initializers)
        .map((name) => `${name}_`)
        .sort(),
    );
  });

  describe.each(dtypes)('%s', (dtype) => {
    test.each(cases)('$name', async ({ name, shapes, fill }) => {
      const { random } = initializers[name.slice(0, -1) as Name];
      for (const shape of shapes) {
        const options = () => (random ? { generator: generator() } : {});
        const expected = empty(shape, { dtype });
        fill(functionsOf(init), expected, options());
        const wanted = bytes(expected);
        for (const pool of pools) {
          for (const shared of [false, true]) {
            const got = empty(shape, { dtype, shared });
            await fill(functionsOf(pool.init), got, options());
            expect(bytes(got).equals(wanted), `[${shape}] shared ${shared}`).toBe(true);
          }
        }
      }
    });
  });

  test('on parts of buffers, at any offset, leaving what is around', async () => {
    for (const pool of pools) {
      for (const buffer of [new ArrayBuffer(4_000_000), new SharedArrayBuffer(4_000_000)]) {
        const all = new Uint8Array(buffer).fill(0xee);
        const part = tensor(new Float32Array(buffer, 20, 900_001), [900_001]);
        await pool.init.uniform_(part, { generator: generator() });
        const expected = init.uniform_(empty([900_001]), { generator: generator() });
        expect(bytes(part).equals(bytes(expected))).toBe(true);
        expect(all.subarray(0, 20).every((byte) => byte === 0xee)).toBe(true);
        expect(all.subarray(20 + 900_001 * 4).every((byte) => byte === 0xee)).toBe(true);
      }
    }
  });

  test('whatever number of threads a call is given', async () => {
    const expected = bytes(init.orthogonal_(empty([300, 200]), { generator: generator() }));
    for (const threads of [1, 2, 7]) {
      for (const pool of pools) {
        const got = await pool.init.orthogonal_(pool.empty([300, 200]), { generator: generator(), threads });
        expect(bytes(got).equals(expected)).toBe(true);
      }
    }
  });

  test('in chunks of one fill', async () => {
    const [, pool] = pools;
    const expected = init.normal_(empty([700_001], { dtype: 'bfloat16' }), { generator: generator() });
    const fill = resolve('normal', [700_001], { dtype: 'bfloat16' });
    const key = nextKey(generator());
    for (const shared of [false, true]) {
      const chunks: Buffer[] = [];
      for (let begin = 0; begin < 700_001; begin += 99_991) {
        const { data } = empty([Math.min(99_991, 700_001 - begin)], { dtype: 'bfloat16', shared });
        await pool?.runFill(data, 'bfloat16', fill, key, begin);
        chunks.push(bytes({ data, shape: [data.length], dtype: 'bfloat16' }));
      }
      expect(Buffer.concat(chunks).equals(bytes(expected))).toBe(true);
    }
  });

  test('while this thread fills too', async () => {
    const [, pool] = pools;
    if (pool === undefined) return;
    const tensors = Array.from({ length: 20 }, (_, i) => empty([200_003 + i], { shared: i % 2 === 0 }));
    const from = generator();
    const promises = tensors.map((each) => pool.init.normal_(each, { generator: from }));
    const here = Array.from({ length: 20 }, () =>
      bytes(init.normal_(empty([100_001]), { generator: generator(), threads: 2 })),
    );
    await Promise.all(promises);
    const again = generator();
    for (const each of tensors) {
      const expected = init.normal_(empty(each.shape), { generator: again });
      expect(bytes(each).equals(bytes(expected))).toBe(true);
    }
    expect(new Set(here.map((each) => each.toString('latin1'))).size).toBe(1);
  });
});

describe('streams are taken when a function is called', () => {
  const shapes = [[5], [300_000], [17, 19], [64, 64], [1], [2_000_000], [33], [100], [9, 9], [4096]];

  test('ten at once are ten awaited and ten synchronous ones', async () => {
    for (const pool of pools) {
      for (const shared of [false, true]) {
        const make = () => shapes.map((shape) => empty(shape, { shared }));
        const [together, awaited, synchronous] = [make(), make(), make()];
        manual_seed(7);
        await Promise.all(together.map((each) => pool.init.normal_(each)));
        manual_seed(7);
        for (const each of awaited) await pool.init.normal_(each);
        manual_seed(7);
        for (const each of synchronous) init.normal_(each);
        for (let i = 0; i < shapes.length; i++) {
          const expected = bytes(synchronous[i] as (typeof synchronous)[number]);
          expect(bytes(together[i] as (typeof together)[number]).equals(expected)).toBe(true);
          expect(bytes(awaited[i] as (typeof awaited)[number]).equals(expected)).toBe(true);
        }
      }
    }
  });

  test('a list takes them when it is given, between other calls', async () => {
    const [, pool] = pools;
    if (pool === undefined) return;
    const run = new Generator({ seed: 3 });
    const first = empty([1000]);
    const list = shapes.map((shape) => empty(shape));
    const last = empty([1000]);
    const promises = [
      pool.init.normal_(first, { generator: run }),
      pool.fill(
        list.map((each) => ({ tensor: each, initializer: { init: 'uniform', a: -1 } })),
        { generator: run },
      ),
      pool.init.normal_(last, { generator: run }),
    ];
    await Promise.all(promises);
    const again = new Generator({ seed: 3 });
    expect(bytes(first).equals(bytes(init.normal_(empty([1000]), { generator: again })))).toBe(true);
    for (const each of list) {
      expect(bytes(each).equals(bytes(init.uniform_(empty(each.shape), -1, 1, { generator: again })))).toBe(true);
    }
    expect(bytes(last).equals(bytes(init.normal_(empty([1000]), { generator: again })))).toBe(true);
  });

  test('a refused or aborted call takes none', async () => {
    const [pool] = pools;
    if (pool === undefined) return;
    const run = generator();
    await expect(pool.init.normal_(empty([3]), 0, -1, run)).rejects.toThrow(RangeError);
    await expect(pool.init.normal_(empty([3]), { generator: run, signal: AbortSignal.abort() })).rejects.toThrow();
    await pool.init.normal_(empty([0]), { generator: run });
    await pool.init.zeros_(empty([3]));
    expect(run.get_state()).toEqual(generator().get_state());
  });
});
