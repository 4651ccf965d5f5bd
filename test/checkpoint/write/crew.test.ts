import type { Worker } from 'node:worker_threads';
import { expect, test, vi } from 'vitest';
import { write_checkpoint } from '../../../lib/checkpoint/write/write.js';
import { philox_keys } from '../../../lib/plan/keys.js';
import { resolve_plan } from '../../../lib/plan/plan.js';
import { content_of, temporary_folder } from '../temporary.js';

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

const root = temporary_folder();
const tensors = resolve_plan({
  tensors: [
    { name: 'a', shape: [300, 100], dtype: 'float32', initializer: 'normal' },
    { name: 'b', shape: [77], dtype: 'bfloat16', initializer: 'uniform' },
  ],
});

test.each([0, 1, 2, 4])('where the system gives %i of 4 threads, those do the work', async (threads) => {
  Object.assign(limit, { threads, given: 0 });
  const write = (folder: string, workers: number) => {
    return write_checkpoint(`${root.path}/${folder}`, tensors, { keys: philox_keys(1n), workers, chunk_bytes: 1024 });
  };
  await write('limited', 4);
  expect(limit.given).toBe(threads);
  await write('alone', 0);
  expect(content_of(`${root.path}/limited`)).toEqual(content_of(`${root.path}/alone`));
});
