import { afterAll, describe, expect, test } from 'vitest';
import { createPool, empty, type FillItem, init } from '../../lib/index.js';
import { bytes, generator, sleep } from './cases.js';

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

async function* endless(make: () => FillItem, taken: { count: number }): AsyncGenerator<FillItem> {
  while (true) {
    taken.count++;
    yield make();
  }
}

describe('many tensors', () => {
  test('from an array, a generator and an async generator, the same bytes', async () => {
    const shapes = Array.from({ length: 300 }, (_, i) => [1 + ((i * 7919) % 50_000)]);
    const initializer = { init: 'normal', std: 0.02 } as const;
    const expected = shapes.map((shape) => empty(shape));
    const from = generator();
    for (const each of expected) init.normal_(each, { std: 0.02, generator: from });
    const make = () => shapes.map((shape, i) => ({ tensor: empty(shape, { shared: i % 3 === 0 }), initializer }));
    for (const how of ['array', 'iterable', 'async'] as const) {
      const items = make();
      const given = how === 'array' ? items : how === 'iterable' ? items.values() : slowly(items);
      const result = await pool.fill(given, { generator: generator() });
      const elements = shapes.reduce((sum, [n]) => sum + (n ?? 0), 0);
      expect(result).toEqual({ tensors: 300, elements, bytes: elements * 4 });
      for (const [i, { tensor }] of items.entries()) {
        expect(bytes(tensor).equals(bytes(expected[i] as (typeof expected)[number]))).toBe(true);
      }
    }
  });

  test('an array of axes that is changed between two items counts as it stands for each', async () => {
    const axes = [1];
    const initializer = { init: 'xavier_uniform', in_axis: axes } as const;
    const tensors = [empty([8, 4, 100]), empty([8, 4, 100])] as const;
    const items = function* (): Generator<FillItem> {
      yield { tensor: tensors[0], initializer };
      axes[0] = 2;
      yield { tensor: tensors[1], initializer };
    };
    await pool.fill(items(), { generator: generator() });
    const from = generator();
    for (const [i, tensor] of tensors.entries()) {
      const expected = init.xavier_uniform_(empty([8, 4, 100]), { in_axis: i + 1, generator: from });
      expect(bytes(tensor).equals(bytes(expected))).toBe(true);
    }
  });

  test('zeros of integers, as by init.zeros_, and nothing else of them', async () => {
    const counters = [3, 100_000].map((n) => ({ data: new BigInt64Array(n).fill(5n), dims: [n], type: 'int64' }));
    await pool.fill([
      { tensor: counters[0] as (typeof counters)[number], initializer: 'zeros' },
      { tensor: counters[1] as (typeof counters)[number], initializer: { init: 'zeros' } },
    ]);
    for (const { data } of counters) expect(data.every((x) => x === 0n)).toBe(true);
    const tensor = { data: new Int32Array(3).fill(5), dims: [3], type: 'int32' };
    await expect(pool.fill([{ tensor, initializer: 'ones' }])).rejects.toThrow("received 'int32'");
    expect([...tensor.data]).toEqual([5, 5, 5]);
  });

  test('tensors without elements, and no tensors', async () => {
    expect(await pool.fill([])).toEqual({ tensors: 0, elements: 0, bytes: 0 });
    expect(await pool.fill([{ tensor: empty([0, 3]), initializer: 'ones' }])).toEqual({
      tensors: 1,
      elements: 0,
      bytes: 0,
    });
  });
});

async function* slowly(items: readonly FillItem[]): AsyncGenerator<FillItem> {
  for (const [i, item] of items.entries()) {
    if (i % 50 === 0) await sleep(1);
    yield item;
  }
}

describe('an item that fails', () => {
  test('may be one that tells by what is no function, and is left as it was', async () => {
    const tensor = empty([3]);
    const filling = pool.fill([{ tensor, initializer: 'ones', onFilled: 5 } as unknown as FillItem]);
    await expect(filling).rejects.toThrow('expected a function for onFilled, but received 5 of type number');
    expect(tensor.data).toEqual(new Float32Array(3));
  });

  test('is named, and the others are filled', async () => {
    const good = [pool.empty([100_000]), empty([10]), empty([50_000])];
    const items: unknown[] = [
      { tensor: good[0], initializer: 'ones' },
      { tensor: empty([3]), initializer: { init: 'normal', std: -1 }, name: 'h.0.attn' },
      { tensor: good[1], initializer: 'ones' },
      { tensor: empty([3]), initializer: 'orthogonal' },
      { tensor: empty([3]), initialiser: 'ones' },
      null,
      { tensor: good[2], initializer: 'ones' },
    ];
    const error: unknown = await pool.fill(items as FillItem[]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AggregateError);
    const { message, errors } = error as AggregateError;
    expect(message).toMatch(/^fill: 4 items of 7 could not be filled: fill: item 1 \('h\.0\.attn'\): normal/);
    expect(errors.map((each: Error) => each.message.slice(0, 14))).toEqual([
      'fill: item 1 (',
      'fill: item 3: ',
      'fill: item 4: ',
      'fill: item 5: ',
    ]);
    expect(errors[0]).toBeInstanceOf(RangeError);
    expect((errors[2] as Error).message).toContain("did you mean 'initializer'?");
    for (const each of good) expect(each.data.every((x) => x === 1)).toBe(true);
  });

  test("does not change the others' bytes", async () => {
    const tensors = [empty([3]), empty([5]), empty([7])];
    const items = tensors.map((tensor, i) => ({
      tensor,
      initializer: { init: 'normal', std: i === 1 ? -1 : 1 } as const,
    }));
    await expect(pool.fill(items, { generator: generator() })).rejects.toThrow('item 1');
    const from = generator();
    const expected = tensors.map(({ shape }) => init.normal_(empty(shape), { generator: from }));
    expect(bytes(tensors[2] as (typeof tensors)[number])).toEqual(bytes(expected[2] as (typeof expected)[number]));
  });

  test("an iterable's own error ends it, when what was taken is filled", async () => {
    const w = pool.empty([500_000]);
    async function* broken(): AsyncGenerator<FillItem> {
      yield { tensor: w, initializer: 'ones' };
      throw new Error('no more');
    }
    await expect(pool.fill(broken())).rejects.toThrow('no more');
    expect(w.data.every((x) => x === 1)).toBe(true);
  });

  test.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['a number', () => 5],
    ['a promise of a number', async () => 5],
    ['a promise of nothing', async () => undefined],
  ])(
    'an iterator by hand that gives %s in place of { done, value } is refused, and does not go on for ever',
    async (_, next) => {
      const items = { [Symbol.asyncIterator]: () => ({ next }) } as AsyncIterable<FillItem>;
      await expect(pool.fill(items)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringMatching(/^fill: expected .*\{ done, value \} for items, but received (undefined|5)/),
      });
    },
  );

  test.each([null, {}])('an iterable whose iterator is %j is refused', async (iterator) => {
    const items = { [Symbol.iterator]: () => iterator } as unknown as Iterable<FillItem>;
    await expect(pool.fill(items)).rejects.toThrow(
      /^fill: expected an iterable whose iterator has a next\(\) for items/,
    );
  });
});

describe('an endless iterable', () => {
  // Each makes more than it may hold, garbage that is not collected yet included; those that leave most behind come last.
  test.each([
    ['tiny', 100, false, 1_000_000, 384],
    ['small', 5000, false, 50_000, 384],
    ['large, in plain memory', 1 << 20, false, 800, 1024],
    ['large', 1 << 20, true, 1000, 1024],
  ])('of %s tensors keeps memory flat, and stops when told', async (_, elements, shared, count, mostMib) => {
    const controller = new AbortController();
    const taken = { count: 0 };
    const make = (): FillItem => ({
      tensor: shared ? pool.empty([elements]) : empty([elements]),
      initializer: 'normal',
    });
    const iterable = endless(make, taken);
    const before = process.memoryUsage().rss;
    const running = pool.fill(iterable, { signal: controller.signal }).catch((error: unknown) => error);
    let most = 0;
    while (taken.count < count) {
      await sleep(5);
      most = Math.max(most, process.memoryUsage().rss - before);
    }
    controller.abort('enough');
    expect(await running).toBe('enough');
    expect(most / 2 ** 20).toBeLessThan(mostMib);
    const stopped = taken.count;
    await sleep(20);
    expect(taken.count).toBe(stopped);
    expect((await iterable.next()).done).toBe(true); // it was told to return
  });

  test('whose next item never comes can be stopped', async () => {
    const controller = new AbortController();
    const never: AsyncIterable<FillItem> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    };
    const running = pool.fill(never, { signal: controller.signal });
    setTimeout(() => controller.abort('enough'), 10);
    await expect(running).rejects.toBe('enough');
  });

  test('lets others through', async () => {
    const controller = new AbortController();
    const iterable = endless(() => ({ tensor: pool.empty([1 << 20]), initializer: 'normal' }), { count: 0 });
    const running = pool.fill(iterable, { signal: controller.signal }).catch((error: unknown) => error);
    for (const n of [10, 100_000, 3_000_000]) {
      const w = await pool.init.normal_(empty([n]), { generator: generator() });
      expect(bytes(w).equals(bytes(init.normal_(empty([n]), { generator: generator() })))).toBe(true);
    }
    controller.abort('enough');
    expect(await running).toBe('enough');
  });
});
