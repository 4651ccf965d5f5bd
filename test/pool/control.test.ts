import { getEventListeners } from 'node:events';
import { afterAll, describe, expect, test } from 'vitest';
import { createPool, empty, init, type Progress, Generator as Randomness } from '../../lib/index.js';
import { bytes, generator, sleep } from './cases.js';

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

/** Numbers in [0, 1), the same in each run. */
function* numbers(seed: number): Generator<number, never> {
  for (let x = seed; ; ) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    yield x / 2 ** 32;
  }
}

describe('abort', () => {
  test('200 times at random points: nothing is written after the rejection, and the pool goes on', async () => {
    const random = numbers(42);
    const next = () => random.next().value;
    const kinds = [
      { shape: [2_000_000], shared: true, fill: 'trunc_normal_' },
      { shape: [2_000_000], shared: false, fill: 'trunc_normal_' },
      { shape: [700, 600], shared: true, fill: 'orthogonal_' },
      { shape: [600, 700], shared: false, fill: 'orthogonal_' },
      { shape: [1500, 500], shared: true, fill: 'sparse_' },
    ] as const;
    const tensors = kinds.map(({ shape, shared }) => empty(shape, { shared, dtype: 'float64' }));
    let aborted = 0;
    for (let i = 0; i < 200; i++) {
      const kind = kinds[i % kinds.length] as (typeof kinds)[number];
      const w = tensors[i % kinds.length] as (typeof tensors)[number];
      const controller = new AbortController();
      const { signal } = controller;
      const reason = new Error(`stop ${i}`);
      const options = { signal };
      const running =
        kind.fill === 'sparse_'
          ? pool.init.sparse_(w, 0.5, options)
          : kind.fill === 'orthogonal_'
            ? pool.init.orthogonal_(w, options)
            : pool.init.trunc_normal_(w, options);
      const outcomeLater = running.then(
        () => undefined,
        (error: unknown) => error,
      );
      const wait = next();
      if (wait > 0.9) controller.abort(reason);
      setTimeout(() => controller.abort(reason), wait * 12);
      const outcome = await outcomeLater;
      if (outcome === undefined) continue;
      expect(outcome).toBe(reason);
      aborted++;
      const before = bytes(w);
      if (i % 20 === 0) await sleep(5);
      expect(bytes(w).equals(before)).toBe(true);
    }
    expect(aborted).toBeGreaterThan(50);
    const clean = await pool.init.normal_(pool.empty([1_000_003]), { generator: generator() });
    expect(bytes(clean).equals(bytes(init.normal_(empty([1_000_003]), { generator: generator() })))).toBe(true);
  });

  test('comes back within milliseconds, from within a long native loop', async () => {
    const delays: number[] = [];
    for (const w of [pool.empty([1500, 1500]), empty([1500, 1500]), pool.empty([30_000_000])]) {
      for (let i = 0; i < 5; i++) {
        const controller = new AbortController();
        const running =
          w.shape.length === 2
            ? pool.init.orthogonal_(w, { signal: controller.signal })
            : pool.init.trunc_normal_(w, { signal: controller.signal });
        const outcome = running.catch((error: unknown) => error);
        await sleep(5);
        const start = performance.now();
        controller.abort();
        const error = (await outcome) as Error;
        delays.push(performance.now() - start);
        expect(error.name).toBe('AbortError');
      }
    }
    delays.sort((a, b) => a - b);
    expect(delays[7]).toBeLessThan(20); // a bound for loaded machines; the benchmark has the numbers
  });

  test('leaves others alone', async () => {
    const controller = new AbortController();
    const mine = Array.from({ length: 50 }, (_, i) => empty([1000 * (i + 10)], { shared: i % 2 === 0 }));
    const from = generator();
    const fills = mine.map((w, i) =>
      pool.init.normal_(w, { generator: from, ...(i % 3 === 0 ? { signal: controller.signal } : {}) }),
    );
    controller.abort(new Error('enough'));
    const outcomes = await Promise.allSettled(fills);
    const again = generator();
    for (const [i, w] of mine.entries()) {
      const expected = init.normal_(empty(w.shape), { generator: again });
      expect(outcomes[i]?.status).toBe(i % 3 === 0 ? 'rejected' : 'fulfilled');
      if (i % 3 !== 0) expect(bytes(w).equals(bytes(expected))).toBe(true);
    }
  });

  test('a signal that was aborted before writes nothing', async () => {
    const w = empty([100]);
    await expect(pool.init.ones_(w, { signal: AbortSignal.abort('why not') })).rejects.toBe('why not');
    expect(w.data.every((x) => x === 0)).toBe(true);
  });

  test.each(['philox', 'torch'] as const)(
    '%s: of an orthogonal tensor moves while it is made whole',
    async (engine) => {
      const reports: number[] = [];
      const side = 2800;
      const w = pool.empty([side, side]);
      const onProgress = ({ elements }: Progress) => reports.push(elements);
      await pool.init.orthogonal_(w, { onProgress, threads: 1, generator: new Randomness({ engine, seed: 1 }) });
      pool.release(w);
      expect(reports).toEqual([...reports].sort((a, b) => a - b));
      expect(reports.at(-1)).toBe(side * side);
      expect(new Set(reports).size).toBeGreaterThan(3);
    },
  );

  test('a signal does not keep listeners', async () => {
    const { signal } = new AbortController();
    await pool.init.ones_(empty([10]), { signal });
    await pool.fill([{ tensor: empty([10]), initializer: 'ones' }], { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('progress', () => {
  test('tells the total also of a fill that waits for its turn in the one sequence', async () => {
    const reports: Progress[] = [];
    const generator = new Randomness({ engine: 'torch', seed: 1 });
    await pool.init.trunc_normal_(empty([5000]), 0, 1, -0.5, 2, { generator, onProgress: (p) => reports.push(p) });
    expect(reports.at(-1)).toEqual({ elements: 5000, bytes: 20_000, totalElements: 5000, totalBytes: 20_000 });
  });

  test.each([true, false])('grows to the total, at most every 50 ms (shared %s)', async (shared) => {
    const reports: Progress[] = [];
    const w = empty([8, 2_000_000], { dtype: 'float64', shared });
    const start = performance.now();
    await pool.init.trunc_normal_(w, 0, 1, 3, 9, { onProgress: (p) => reports.push(p) });
    // A tick that comes late does not delay the next.
    expect(reports.length).toBeLessThanOrEqual((performance.now() - start) / 50 + 2);
    const last = reports[reports.length - 1];
    expect(last).toMatchObject({ elements: 16e6, bytes: 128e6, totalElements: 16e6, totalBytes: 128e6 });
    for (let i = 1; i < reports.length; i++) {
      const [before, now] = [reports[i - 1], reports[i]] as [Progress, Progress];
      expect(now.elements).toBeGreaterThanOrEqual(before.elements);
    }
  });

  test('of a list and of an iterable', async () => {
    const items = Array.from({ length: 5 }, () => ({ tensor: pool.empty([1000]), initializer: 'normal' as const }));
    const reports: Progress[] = [];
    await pool.fill(items, { onProgress: (p) => reports.push(p) });
    expect(reports.at(-1)).toEqual({ elements: 5000, bytes: 20000, totalElements: 5000, totalBytes: 20000 });
    await pool.fill(items.values(), { onProgress: (p) => reports.push(p) });
    expect(reports.at(-1)).toMatchObject({ elements: 5000, bytes: 20000, totalElements: undefined });
  });

  test('a callback that throws stops the fill', async () => {
    const onProgress = () => {
      throw new Error('mine');
    };
    await expect(pool.init.normal_(pool.empty([1000]), { onProgress })).rejects.toThrow('mine');
    await expect(pool.fill([], { onProgress })).rejects.toThrow('mine');
  });

  test('a callback that throws undefined once is not taken for success', async () => {
    const long = pool.empty([1500, 1500]);
    let calls = 0;
    const onProgress = () => {
      if (calls++ === 0) throw undefined;
    };
    await expect(pool.init.orthogonal_(long, { onProgress })).rejects.toThrow('onProgress threw undefined');
    pool.release(long);
  });
});

test('statistics count tasks, and time', async () => {
  await pool.init.ones_(empty([10]));
  const statistics = pool.statistics();
  expect(statistics).toMatchObject({ threads: 2, pending: 0, queue: 0 });
  expect(statistics.completed).toBeGreaterThan(0);
  expect(statistics.utilization).toBeGreaterThan(0);
  expect(statistics.runTime.average).toBeGreaterThan(0);
});
