import type { Worker } from 'node:worker_threads';
import { expect, test, vi } from 'vitest';
import { writeCheckpoint } from '../../../lib/checkpoint/write/write.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { resolvePlan } from '../../../lib/plan/plan.js';
import { contentOf, temporaryFolder } from '../temporary.js';

const limit = vi.hoisted(() => ({ threads: 0, given: 0 }));

vi.mock('node:worker_threads', async (original) => {
  const real = await original<typeof import('node:worker_threads')>();
  class Limited extends real.Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      if (limit.given === limit.threads) throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
      limit.given += 1;
      super(...args);
    }
  }
  return { ...real, Worker: Limited };
});

const root = temporaryFolder();
const tensors = resolvePlan({
  tensors: [
    { name: 'a', shape: [300, 100], dtype: 'float32', initializer: 'normal' },
    { name: 'b', shape: [77], dtype: 'bfloat16', initializer: 'uniform' },
  ],
});

test.each([0, 1, 2, 4])('where the system gives %i of 4 threads, those do the work', async (threads) => {
  Object.assign(limit, { threads, given: 0 });
  const write = (folder: string, workers: number) => {
    return writeCheckpoint(`${root.path}/${folder}`, tensors, { keys: philoxKeys(1n), workers, chunkBytes: 1024 });
  };
  await write('limited', 4);
  expect(limit.given).toBe(threads);
  await write('alone', 0);
  expect(contentOf(`${root.path}/limited`)).toEqual(contentOf(`${root.path}/alone`));
});
