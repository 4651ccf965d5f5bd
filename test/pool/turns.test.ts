// Fills of the engine torch, which takes all numbers from one sequence: whose turn it is, and what a stopped one leaves behind.
import { afterAll, describe, expect, test } from 'vitest';
import { createPool, empty, fillSlice, Generator, init, type Tensor } from '../../lib/index.js';
import { bytes } from './cases.js';

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

const torch = (seed: number): Generator => new Generator({ engine: 'torch', seed });
const stopper = () => {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort('stop') };
};
const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe('a truncated normal that is stopped', () => {
  test('leaves the generator where it was', async () => {
    const [generator, other] = [torch(1), torch(1)];
    const state = generator.get_state();
    const w = pool.empty([20_000_000]);
    for (const milliseconds of [0, 1, 5, 10]) {
      const controller = new AbortController();
      const running = outcome(pool.init.trunc_normal_(w, { generator, signal: controller.signal }));
      setTimeout(() => controller.abort('stop'), milliseconds);
      expect(await running).toBe('stop');
      expect(generator.get_state()).toEqual(state);
    }
    const again = await pool.init.trunc_normal_(pool.empty([1000]), { generator });
    expect(bytes(again).equals(bytes(init.trunc_normal_(empty([1000]), { generator: other })))).toBe(true);
    expect(generator.get_state()).toEqual(other.get_state());
  });

  test('rejects while it waits for its turn, and those behind it go on', async () => {
    const [generator, other] = [torch(2), torch(2)];
    const controller = new AbortController();
    const { signal } = controller;
    let firstEnded = false;
    const first = pool.init.trunc_normal_(pool.empty([10_000_000]), { generator }).then(() => {
      firstEnded = true;
    });
    const uniform = outcome(pool.init.uniform_(pool.empty([1_000_000]), { generator, signal }));
    const truncated = outcome(pool.init.trunc_normal_(pool.empty([1_000_000]), { generator, signal }));
    const last = pool.init.normal_(pool.empty([1_000_003]), { generator });
    controller.abort('stop');
    expect([await uniform, await truncated]).toEqual(['stop', 'stop']);
    expect(firstEnded).toBe(false);
    await first;
    // The uniform one has taken its words, as everywhere; nobody knows how many the truncated one would have taken.
    init.trunc_normal_(empty([10_000_000]), { generator: other });
    init.uniform_(empty([1_000_000]), { generator: other });
    const expected = init.normal_(empty([1_000_003]), { generator: other });
    expect(bytes(await last).equals(bytes(expected))).toBe(true);
    expect(generator.get_state()).toEqual(other.get_state());
  });
});

test('a generator is free when all promises have settled, whoever was stopped behind the last that drew', async () => {
  for (const uniform of [false, true]) {
    const [generator, other] = [torch(9), torch(9)];
    const { signal, abort } = stopper();
    const first = pool.init.trunc_normal_(pool.empty([200_000]), { generator });
    const stopped = Array.from({ length: 20 }, () => {
      const [w, options] = [pool.empty([1000]), { generator, signal }];
      return outcome(uniform ? pool.init.uniform_(w, options) : pool.init.trunc_normal_(w, options));
    });
    abort();
    expect(new Set(await Promise.all(stopped))).toEqual(new Set(['stop']));
    await first;
    const state = generator.get_state(); // refused while it is busy
    init.trunc_normal_(empty([200_000]), { generator: other });
    if (uniform) init.uniform_(empty([20_000]), { generator: other });
    expect(state).toEqual(other.get_state());
  }
  const generator = torch(9);
  const { signal, abort } = stopper();
  const endless = (function* () {
    for (;;) yield { tensor: pool.empty([100_000]), initializer: 'trunc_normal' } as const;
  })();
  const running = outcome(pool.fill(endless, { generator, signal }));
  setTimeout(abort, 20);
  expect(await running).toBe('stop');
  expect(generator.get_state()).toHaveLength(5056);
});

test('what PyTorch cannot draw is refused in the name of what was asked for, and nothing is drawn', async () => {
  const generator = torch(3);
  const state = generator.get_state();
  const cases = [
    [{ a: 100, b: Number.POSITIVE_INFINITY }, 'trunc_normal_', /expected finite bounds.* a 100, b Infinity$/],
    [{ a: 1e-50, b: 1 }, 'log_of_uniform_', /expected a.* to be above 0.* a 1e-50, b 1$/],
  ] as const;
  for (const [options, fn, text] of cases) {
    const refusal = {
      ...{ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' },
      message: expect.stringMatching(new RegExp(`^${fn}: in the engine torch ${text.source}`)),
    };
    const initializer = { init: fn.slice(0, -1), ...options } as { init: 'trunc_normal' };
    const call = init[fn] as typeof init.trunc_normal_;
    expect(() => call(empty([10]), { ...options, generator })).toThrow(expect.objectContaining(refusal));
    await expect(
      (pool.init[fn] as typeof pool.init.trunc_normal_)(pool.empty([10]), { ...options, generator }),
    ).rejects.toMatchObject(refusal);
    const ranges = [{ dim: 0, start: 0, length: 4 }];
    expect(() => fillSlice(empty([4]), initializer, { of: [10], ranges, generator })).toThrow(
      expect.objectContaining(refusal),
    );
    expect(generator.get_state()).toEqual(state);
  }
});

test('bounds that nothing meets are an error', async () => {
  const generator = torch(3);
  const state = generator.get_state();
  for (const size of [10, 400_000]) {
    const far = { std: 1e-7, a: 1, b: 2, generator };
    await expect(pool.init.trunc_normal_(pool.empty([size]), far)).rejects.toMatchObject({
      ...{ code: 'ERR_OUT_OF_RANGE', message: expect.stringContaining('within 100,000 draws') },
    });
    expect(() => init.trunc_normal_(empty([size]), far)).toThrow(/within 100,000 draws/);
    expect(generator.get_state()).toEqual(state);
  }
});

describe('closing a pool', () => {
  const waiting = (of: ReturnType<typeof createPool>, generator: Generator): Promise<unknown>[] => [
    ...[1, 2, 3].map(() => outcome(of.init.trunc_normal_(of.empty([1_000_000]), { generator }))),
    outcome(of.init.normal_(of.empty([1_000_000]), { generator })),
    outcome(of.fill([{ tensor: of.empty([1_000_000]), initializer: 'trunc_normal' }], { generator })),
  ];

  test('waits for those that wait for their turn', async () => {
    const own = createPool({ threads: 1 });
    const promises = waiting(own, torch(4));
    await own.close();
    expect((await Promise.all(promises)).filter((each) => each instanceof Error)).toEqual([]);
  });

  test('by force, rejects them', async () => {
    const own = createPool({ threads: 1 });
    const generator = torch(4);
    const promises = waiting(own, generator);
    await own.close({ force: true });
    for (const each of await Promise.all(promises)) expect(String(each)).toMatch(/closed by force/);
    expect(generator.busy).toBe(false);
  });
});

describe('lists', () => {
  const shapes = Array.from({ length: 1500 }, (_, i) => [1000 + i, 2]);
  const initializers = ['normal', 'trunc_normal', 'xavier_uniform', 'zeros'] as const;
  const list = () =>
    shapes.map((shape, i) => ({ tensor: pool.empty(shape), initializer: initializers[i % 4] ?? 'zeros' }));

  test('an array draws as one, whatever else is asked for meanwhile', async () => {
    const [generator, other] = [torch(5), torch(5)];
    const items = list();
    const before = pool.init.trunc_normal_(pool.empty([100_000]), { generator });
    const running = pool.fill(items, { generator });
    const after = pool.init.uniform_(pool.empty([1000]), { generator });
    expect(() => generator.get_state()).toThrow(/a list or a truncated normal/);
    const [first, , last] = await Promise.all([before, running, after]);

    const same = (made: Tensor, expected: Tensor): boolean => bytes(made).equals(bytes(expected));
    expect(same(first, init.trunc_normal_(empty([100_000]), { generator: other }))).toBe(true);
    for (const { tensor, initializer } of items) {
      const expected = empty(tensor.shape);
      if (initializer === 'normal') init.normal_(expected, { generator: other });
      if (initializer === 'trunc_normal') init.trunc_normal_(expected, { generator: other });
      if (initializer === 'xavier_uniform') init.xavier_uniform_(expected, { generator: other });
      expect(same(tensor, expected)).toBe(true);
    }
    expect(same(last, init.uniform_(empty([1000]), { generator: other }))).toBe(true);
    expect(generator.get_state()).toEqual(other.get_state());
  });

  test('refused items draw nothing, and a list that is stopped leaves the generator where it was', async () => {
    const [generator, other] = [torch(6), torch(6)];
    const [one, two] = [pool.empty([500_000]), pool.empty([300])];
    const items = [
      { tensor: one, initializer: 'normal' as const },
      { tensor: pool.empty([10]), initializer: { init: 'trunc_normal', std: 1e-7, a: 1, b: 2 } as const },
      { tensor: pool.empty([10]), initializer: 'xavier_normal' as const },
      { tensor: two, initializer: 'normal' as const },
    ];
    await expect(pool.fill(items, { generator })).rejects.toThrow(/2 items of 4/);
    expect(bytes(one).equals(bytes(init.normal_(empty([500_000]), { generator: other })))).toBe(true);
    expect(bytes(two).equals(bytes(init.normal_(empty([300]), { generator: other })))).toBe(true);
    expect(generator.get_state()).toEqual(other.get_state());

    const controller = new AbortController();
    const stopped = outcome(pool.fill(list(), { generator, signal: controller.signal }));
    const waiting = outcome(pool.fill(items, { generator, signal: controller.signal }));
    const behind = pool.init.uniform_(pool.empty([1000]), { generator });
    setTimeout(() => controller.abort('stop'), 2);
    expect([await stopped, await waiting]).toEqual(['stop', 'stop']);
    await behind;
    init.uniform_(empty([1000]), { generator: other });
    expect(generator.get_state()).toEqual(other.get_state());
  });
});

test('a key says where in its fill a tensor is', async () => {
  const fill = { kind: 'normal', mean: 0, std: 1 } as const;
  const whole = init.normal_(empty([400_000]), { generator: torch(7) });
  const { data } = pool.empty([300_000]);
  const [state, total] = [torch(7).get_state(), 400_000];
  await pool.runFill(data, 'float32', fill, { state, total, offset: 12_345 });
  expect(data.every((x, i) => x === whole.data[i + 12_345])).toBe(true);
  for (const offset of [-1, 0.5, 100_001, 2 ** 53 - 1]) {
    await expect(pool.runFill(data, 'float32', fill, { state, total, offset })).rejects.toThrow(RangeError);
  }
});

test('bounds that are equal', async () => {
  for (const size of [10, 100_000]) {
    const [generator, other] = [torch(8), torch(8)];
    const w = await pool.init.trunc_normal_(pool.empty([size]), { a: 1, b: 1, generator });
    expect(w.data.every((x) => x === 1)).toBe(true);
    init.uniform_(empty([2 * size]), { generator: other }); // candidates, and uniforms to accept them
    expect(generator.get_state()).toEqual(other.get_state());
  }
});
