import { lstatSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { WriteOptions } from '../../../../lib/checkpoint/write/write.js';
import { loadPlan, verifyCheckpoint, writeCheckpoint } from '../../../../lib/checkpoint.js';
import type { PlannedTensor } from '../../../../lib/plan/plan.js';
import { contentOf } from '../../temporary.js';
import { root, write } from './resumed.js';

/** What the disk that a folder is on holds in all. */
const disk = { bytes: 0 };

const blocksOf = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + lstatSync(join(folder, name)).blocks, 0);

vi.mock(import('node:fs/promises'), async (original) => {
  const real = await original();
  const statfs = async (folder: string) => {
    const blocks = Math.ceil(disk.bytes / 512);
    return { blocks, bavail: Math.max(0, blocks - blocksOf(folder)), bsize: 512 };
  };
  return { ...real, statfs: statfs as unknown as typeof real.statfs };
});

/** Some 3 MB, so that the blocks of small files do not matter. */
const size = 3 * 2 ** 20;
const spare = 2 ** 18;
const tensors: PlannedTensor[] = [{ name: 'w', shape: [size / 4], dtype: 'float32', initializer: 'normal' }];
const options: Partial<WriteOptions> = { maxShardSize: 1e9, workers: 0 };
const leftover = '.nninit-0123456789ab-01234567-model.safetensors.tmp';

test.each(['resume', 'force'] as const)('%s: what a killed run has left does not count as taken', async (mode) => {
  const folder = root.path;
  disk.bytes = size + spare;
  writeFileSync(join(folder, leftover), Buffer.alloc(size / 2, 1));
  await write(folder, { ...options, [mode]: true }, tensors);
  expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors']);
});

test('but what it has not taken does: a hole is no room', async () => {
  const folder = root.path;
  disk.bytes = size + spare;
  writeFileSync(join(folder, 'other'), Buffer.alloc(size / 2, 1));
  writeFileSync(join(folder, leftover), '');
  truncateSync(join(folder, leftover), size);
  const error = { name: 'WriteError', code: 'ENOSPC' };
  await expect(write(folder, { ...options, force: true }, tensors)).rejects.toMatchObject(error);
  expect(readdirSync(folder)).toContain(leftover);
});

test('what is on the disk of an unfinished file is room for the rest of it, but for what is kept of it', async () => {
  const folder = root.path;
  disk.bytes = size + spare;
  const abort = new AbortController();
  const onProgress = (bytes: number) => bytes > size / 2 && abort.abort();
  const stopped = { ...options, chunkBytes: 2 ** 16, journalBytes: 2 ** 19, signal: abort.signal, onProgress };
  await expect(write(folder, stopped, tensors)).rejects.toMatchObject({ resumable: true });
  disk.bytes = size - spare;
  await expect(write(folder, { ...options, resume: true }, tensors)).rejects.toMatchObject({ code: 'ENOSPC' });
  disk.bytes = size + spare;
  const { resumedBytes } = await write(folder, { ...options, resume: true }, tensors);
  expect(resumedBytes).toBeGreaterThan(0);
  expect(Object.keys(contentOf(folder)).sort()).toEqual(['config.json', 'model.safetensors']);
});

test('a part that ended early has room in the file that it has written to', async () => {
  const folder = root.path;
  const plan = await loadPlan({ tensors: { w: { shape: [size], init: 'normal' } } }); // four parts of 3 MiB
  const at = (index: number) => ({ part: { index, count: 4, finish: 'auto' as const } });
  disk.bytes = 4 * size + spare;
  const abort = new AbortController();
  const onProgress = ({ bytes }: { bytes: number }) => bytes > size / 2 && abort.abort();
  await writeCheckpoint(plan, folder, at(0));
  await expect(writeCheckpoint(plan, folder, { ...at(2), signal: abort.signal, onProgress })).rejects.toThrow();
  disk.bytes = 2 * size + spare;
  await expect(writeCheckpoint(plan, folder, { ...at(1), part: { index: 1, count: 2 } })).rejects.toMatchObject({
    code: 'ENOSPC',
  });
  await writeCheckpoint(plan, folder, at(2));
  disk.bytes = 4 * size + spare;
  for (const index of [3, 1]) await writeCheckpoint(plan, folder, at(index));
  expect(await verifyCheckpoint(folder)).toMatchObject({ ok: true });
});
