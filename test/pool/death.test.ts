import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { empty, init } from '../../lib/index.js';
import { Host } from '../../lib/pool/host.js';
import { Scheduler } from '../../lib/pool/scheduler.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { nextKey } from '../support.js';
import { bytes, generator, sleep } from './cases.js';

const exitFile = fileURLToPath(new URL('./exit.mjs', import.meta.url));

async function withScheduler(
  threads: number,
  body: (scheduler: Scheduler) => Promise<void>,
  worker?: string,
): Promise<void> {
  const scheduler = new Scheduler(threads, 0, worker);
  try {
    await started(scheduler, threads);
    await body(scheduler);
  } finally {
    await scheduler.host.close();
  }
}

/** Node 20 itself aborts when a thread is ended while it loads modules. */
async function started({ host }: Scheduler, threads: number): Promise<void> {
  const ping = (): Promise<unknown> => host.run({ kind: 'ping' }).catch(ping); // a thread that is being ended answers none
  await Promise.all(Array.from({ length: threads }, ping));
}

/** Submits what pool.init would. */
function fill(scheduler: Scheduler, tensor: Tensor, kind: 'normal' | 'orthogonal'): Promise<void> {
  const { data, shape, dtype } = tensor;
  const [rows = 1, cols = 1] = shape;
  return new Promise((resolve, reject) => {
    scheduler.submit(
      {
        fn: kind,
        tensor: { data, shape, dtype, size: data.length },
        fill: kind === 'normal' ? { kind, mean: 0, std: 1 } : { kind, rows, cols, gain: 1, stride: 1, offset: 0 },
        key: nextKey(generator()),
        begin: 0,
        threads: 0,
      },
      (error) => (error === undefined ? resolve() : reject(error)),
    );
  });
}

describe.each([1, 2])('with %i worker threads', (threads) => {
  test.each([true, false])('a killed thread: its work is done again (shared %s)', async (shared) => {
    await withScheduler(threads, async (scheduler) => {
      const shape = [12_000_001];
      const expected = bytes(init.normal_(empty(shape), { generator: generator() }));
      for (let round = 0; round < 5; round++) {
        const tensors = Array.from({ length: 3 }, () => empty(shape, { shared }));
        await started(scheduler, threads);
        const running = tensors.map((each) => fill(scheduler, each, 'normal'));
        await sleep(round * 3);
        void scheduler.host.piscina.threads[round % threads]?.terminate();
        await Promise.all(running);
        for (const each of tensors) expect(bytes(each).equals(expected)).toBe(true);
      }
      await sleep(200);
      expect(scheduler.host.piscina.threads.length).toBe(threads);
    });
  });

  test('process.exit in a thread, small tensors waiting', async () => {
    await withScheduler(threads, async (scheduler) => {
      const tensors = Array.from({ length: 100 }, () => empty([10_000]));
      const expected = bytes(init.normal_(empty([10_000]), { generator: generator() }));
      const exits = Array.from({ length: threads }, () =>
        scheduler.host.piscina.run({ kind: 'ping' }, { filename: exitFile }).catch((error: Error) => error.message),
      );
      await Promise.all(tensors.map((each) => fill(scheduler, each, 'normal')));
      expect(await Promise.all(exits)).toEqual(Array(threads).fill('worker exited with code: 3'));
      for (const each of tensors) expect(bytes(each).equals(expected)).toBe(true);
    });
  });

  test('a whole matrix', async () => {
    await withScheduler(threads, async (scheduler) => {
      for (const shared of [true, false]) {
        const w = empty([1300, 1300], { shared });
        await started(scheduler, threads);
        const running = fill(scheduler, w, 'orthogonal');
        await sleep(5);
        for (const thread of scheduler.host.piscina.threads) void thread.terminate();
        await running;
        expect(bytes(w).equals(bytes(init.orthogonal_(empty([1300, 1300]), { generator: generator() })))).toBe(true);
      }
    });
  });

  test('threads that die of every fill: rejected, not hung', async () => {
    const dying = fileURLToPath(new URL('./dying.mjs', import.meta.url));
    await withScheduler(
      threads,
      async (scheduler) => {
        for (const w of [empty([90_001], { shared: true }), empty([90_001]), empty([300, 300])]) {
          await expect(fill(scheduler, w, w.shape.length === 1 ? 'normal' : 'orthogonal')).rejects.toThrow(
            'the worker threads died while filling (worker exited with code: 3)',
          );
        }
        await started(scheduler, threads);
      },
      dying,
    );
  });
});

test('threads that cannot start: rejected, not hung', async () => {
  const reasons: Error[] = [];
  const host = new Host(2, (error) => reasons.push(error), 0, fileURLToPath(new URL('./broken.mjs', import.meta.url)));
  const again = (): void => void host.run({ kind: 'ping' }).catch(again); // a task that was given to a dying thread
  again();
  for (let i = 0; i < 100 && reasons.length === 0; i++) await sleep(50);
  expect(reasons[0]?.message).toMatch(/^the pool's worker threads do not start: broken on purpose/);
  await host.close();
});

describe('a system that gives no more threads', () => {
  const refusal = Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
  /** As Piscina, which is CommonJS, has it. */
  const threading = createRequire(import.meta.url)('node:worker_threads') as {
    Worker: new (...args: unknown[]) => object;
  };
  const { Worker: Real } = threading;

  /** Refuses so many; then there are some again. */
  const refuse = (count: number) =>
    vi.spyOn(threading, 'Worker').mockImplementation(function start(...args) {
      if (--count < 0) return new Real(...args);
      throw refusal;
    });

  test('no pool is made', () => {
    const refused = refuse(1);
    expect(() => new Scheduler(2, 0)).toThrow(
      expect.objectContaining({ code: refusal.code, message: "the pool's worker threads do not start: EAGAIN" }),
    );
    refused.mockRestore();
  });

  test.each([
    ['one, and it ends: rejected, not hung, and the process lives', 1, 1, Infinity, 'rejected'],
    ['two, and both end: rejected, too', 2, 2, Infinity, 'rejected'],
    ['two, and one ends: the other does the work', 2, 1, Infinity, 'fulfilled'],
    ['one, and it ends, but there is one again a little later', 1, 1, 3, 'fulfilled'],
  ] as const)('%s', async (_, threads, ending, refusals, status) => {
    await withScheduler(threads, async (scheduler) => {
      const refused = refuse(refusals);
      // They have ended before there is work, so that which of both is quicker changes nothing.
      await Promise.all(scheduler.host.piscina.threads.slice(0, ending).map((thread) => thread.terminate()));
      const running = [0, 1, 2].map(() => fill(scheduler, empty([2000, 1000]), 'normal'));
      const outcomes = await Promise.allSettled(running);
      refused.mockRestore();
      expect(outcomes).toMatchObject(Array(3).fill({ status }));
      if (status === 'rejected')
        expect(outcomes[0]).toHaveProperty('reason.message', "the pool's worker threads do not start: EAGAIN");
    });
  });
});

test('a task that Piscina refuses, for want of a thread, keeps none busy', async () => {
  const { host } = new Scheduler(1, 0);
  await host.run({ kind: 'ping' });
  const refused = vi.spyOn(host.piscina, 'run').mockImplementationOnce(() => {
    throw new Error('no thread');
  });
  await expect(host.run({ kind: 'ping' })).rejects.toThrow('no thread');
  refused.mockRestore();
  const before = host.utilization;
  await sleep(20);
  expect(host.utilization).toBeLessThan(before);
  await host.close();
});
