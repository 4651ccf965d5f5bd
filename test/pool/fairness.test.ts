import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadPlan, writeCheckpoint } from '../../lib/checkpoint.js';
import { createPool } from '../../lib/index.js';
import { sleep } from './cases.js';

const pool = createPool({ threads: 2 });
const folder = mkdtempSync(join(tmpdir(), 'nninit-fairness-'));
afterAll(async () => {
  await pool.close();
  rmSync(folder, { recursive: true });
});

test('small fills do not wait for a checkpoint that keeps all threads busy', async () => {
  const plan = await loadPlan({ tensors: { a: { shape: [8000, 5000], init: 'normal' } } });
  const ended: string[] = [];
  let begun = (): void => undefined;
  const started = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const writing = writeCheckpoint(plan, join(folder, 'out'), { pool, onProgress: begun });
  const written = writing.then(() => ended.push('checkpoint'));
  await started;
  for (const size of [30_000, 200_000, 30_000]) {
    await pool.init.normal_(pool.empty([size]));
    ended.push(`fill of ${size}`);
  }
  await written;
  expect(ended).toEqual(['fill of 30000', 'fill of 200000', 'fill of 30000', 'checkpoint']);
});

test('an abort settles those that run and those that wait alike', async () => {
  const controller = new AbortController();
  const all = Array.from({ length: 8 }, () =>
    pool.init.orthogonal_(pool.empty([1500, 1500]), { signal: controller.signal }),
  );
  const outcomes = Promise.allSettled(all);
  await sleep(5);
  const reason = new Error('enough');
  controller.abort(reason);
  for (const outcome of await outcomes) expect(outcome).toEqual({ status: 'rejected', reason });
  expect(pool.statistics().pending).toBe(0);
  const w = await pool.init.ones_(pool.empty([100_000]));
  expect(w.data.every((x) => x === 1)).toBe(true);
});
