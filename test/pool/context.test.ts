// Whoever is called back finds the AsyncLocalStorage of its own call: a server's logs and traces go by it.
import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadPlan, writeCheckpoint } from '../../lib/checkpoint.js';
import { createPool, Generator } from '../../lib/index.js';

const pool = createPool({ threads: 1 });
const folder = mkdtempSync(join(tmpdir(), 'nninit-context-'));
afterAll(async () => {
  await pool.close();
  rmSync(folder, { recursive: true });
});

const caller = new AsyncLocalStorage<number>();

/** Whom the callbacks of three calls at a time find, each beside whose it was. */
async function found(call: (note: () => void, index: number) => Promise<unknown>): Promise<string[]> {
  const seen = new Set<string>();
  const each = (index: number) =>
    caller.run(index, () => call(() => seen.add(`${index}: ${caller.getStore()}`), index));
  await Promise.all([0, 1, 2].map(each));
  return [...seen].sort();
}
const own = ['0: 0', '1: 1', '2: 2'];

test('onProgress of a fill', async () => {
  expect(await found((onProgress) => pool.init.normal_(pool.empty([2 ** 18]), { onProgress }))).toEqual(own);
});

test('whatever a callback is called', async () => {
  const onProgress = Object.defineProperty(() => undefined, 'name', { value: 1 });
  await pool.init.normal_(pool.empty([4]), { onProgress });
});

test('onFilled of an array and of an iterable', async () => {
  const items = function* (onFilled: () => void) {
    for (let i = 0; i < 3; i++) yield { tensor: pool.empty([2 ** 17]), initializer: 'normal', onFilled } as const;
  };
  expect(await found((onFilled) => pool.fill([...items(onFilled)]))).toEqual(own);
  expect(await found((onFilled) => pool.fill(items(onFilled)))).toEqual(own);
});

test('onFilled of lists that wait for their turn at a generator', async () => {
  const generator = new Generator({ engine: 'torch' });
  const fill = (onFilled: () => void) =>
    pool.fill([{ tensor: pool.empty([2 ** 17]), initializer: 'normal', onFilled }], { generator });
  expect(await found(fill)).toEqual(own);
});

test('onProgress of a checkpoint', async () => {
  const plan = await loadPlan({ tensors: { w: [2 ** 20] }, initializers: { w: 'normal' } });
  const write = (onProgress: () => void, i: number) =>
    writeCheckpoint(plan, join(folder, `${i}`), { pool, onProgress });
  expect(await found(write)).toEqual(own);
});
