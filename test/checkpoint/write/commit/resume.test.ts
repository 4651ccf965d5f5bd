import { readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { journal_name } from '../../../../lib/checkpoint/write/commit/journal.js';
import type { WriteOptions } from '../../../../lib/checkpoint/write/write.js';
import type { InterruptedError } from '../../../../lib/core/errors.js';
import { philox_keys } from '../../../../lib/plan/keys.js';
import type { PlannedTensor } from '../../../../lib/plan/plan.js';
import { content_of } from '../../temporary.js';
import { expected, planned, root, stop_after, write } from './resumed.js';

const kinds: readonly [string, Partial<WriteOptions>][] = [
  ['shards', {}],
  ['one file', { max_shard_size: 1e9 }],
  ['npy', { format: 'npy' }],
  ['raw', { format: 'raw' }],
];

test.each(kinds)('%s: wherever it is stopped, resume ends with the same bytes', async (_, options) => {
  const content = await expected(options);
  const folder = join(root.path, 'out');
  let resumed = 0;
  for (let bytes = 600; ; bytes += 3100) {
    const ended = await stop_after(bytes, folder, options);
    if (ended === 'finished') break;
    expect(ended).toMatchObject({ name: 'InterruptedError' });
    if ((ended as InterruptedError).resumable) {
      await expect(write(folder, options)).rejects.toThrow(/holds an unfinished checkpoint: --resume finishes it/);
      const written = await write(folder, { ...options, resume: true });
      expect(written.resumed_bytes).toBeGreaterThan(0);
      expect(content_of(folder)).toEqual(content);
      resumed += 1;
    }
    rmSync(folder, { recursive: true, force: true });
  }
  expect(content_of(folder)).toEqual(content);
  expect(resumed).toBeGreaterThan(2);
});

test('what the journal says is on the disk of an unfinished file is not written again', async () => {
  const folder = join(root.path, 'out');
  const size = 2 ** 26;
  const tensors: PlannedTensor[] = [{ name: 'w', shape: [size / 4], dtype: 'float32', initializer: 'normal' }];
  const progress = () => {
    const { progress } = JSON.parse(readFileSync(join(folder, journal_name), 'utf8'));
    return progress['model.safetensors'] ?? 0;
  };
  const abort = new AbortController();
  const options = { max_shard_size: 1e9, chunk_bytes: 2 ** 16, workers: 0 };
  const writing = write(
    folder,
    {
      ...options,
      journal_bytes: 2 ** 20,
      signal: abort.signal,
      on_progress: () => progress() > 0 && abort.abort('SIGTERM'),
    },
    tensors,
  );
  await expect(writing).rejects.toMatchObject({ resumable: true });
  const there = progress();
  let most = 0;
  const on_progress = (bytes: number) => {
    most = bytes;
  };
  const written = await write(folder, { ...options, resume: true, on_progress }, tensors);
  expect(written.resumed_bytes).toBe(there);
  expect(most).toBe(size - there);
  const resumed = content_of(folder);
  await write(folder, { ...options, force: true }, tensors);
  expect(content_of(folder)).toEqual(resumed);
});

test('stopped before there is anything to keep, it leaves nothing', async () => {
  const folder = join(root.path, 'a/out');
  const ended = await stop_after(512, folder, { journal_bytes: 1e9 });
  expect(ended).toMatchObject({ name: 'InterruptedError', resumable: false });
  expect(readdirSync(root.path)).toEqual([]);
});

test('resume starts what is not there, and does nothing to what is complete', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { resume: true });
  expect(content_of(folder)).toEqual(await expected());
  const times = readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs);
  const written = await write(folder, { resume: true });
  expect(written.resumed_bytes).toBe(12800 + 8192 + 16640 + 16384);
  expect(readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs)).toEqual(times);
});

test('resume makes again a shard that was removed, and the index', async () => {
  const folder = join(root.path, 'out');
  await write(folder);
  rmSync(join(folder, 'model-00002-of-00004.safetensors'));
  rmSync(join(folder, 'model.safetensors.index.json'));
  const written = await write(folder, { resume: true });
  expect(written.resumed_bytes).toBe(12800 + 16640 + 16384);
  expect(content_of(folder)).toEqual(await expected());
});

test.each([
  ['seed', { keys: philox_keys(8n) }],
  ['layout', { max_shard_size: 30000 }],
  ['config', { config: '{"a": 1}' }],
] as const)('resume refuses what was begun with another %s, and touches nothing', async (_, options) => {
  const folder = join(root.path, 'out');
  await stop_after(20000, folder);
  const before = content_of(folder);
  await expect(write(folder, { resume: true, ...options })).rejects.toThrow(/unfinished checkpoint of another plan/);
  expect(content_of(folder)).toEqual(before);
  await write(folder, { force: true, ...options });
  expect(content_of(folder)).toEqual(await expected(options));
});

test('resume without a journal trusts only heads that are exactly the plan, and whole lengths', async () => {
  const folder = join(root.path, 'out');
  await write(folder);
  const shard = join(folder, 'model-00002-of-00004.safetensors');
  await expect(write(folder, { resume: true, keys: philox_keys(8n) })).rejects.toThrow(
    /from another plan, seed or version/,
  );
  const other = planned.map((tensor) =>
    tensor.name === 'a' ? { ...tensor, initializer: 'uniform' as const } : tensor,
  );
  await expect(write(folder, { resume: true }, other)).rejects.toThrow(/from another plan, seed or version/);
  await expect(write(folder, { resume: true, max_shard_size: 1e9 })).rejects.toThrow(/of another layout/);
  truncateSync(shard, statSync(shard).size - 1);
  await expect(write(folder, { resume: true })).rejects.toThrow(/model-00002-of-00004.* from another plan/);
});

test('a file that is shorter than the journal says is made again', async () => {
  const folder = join(root.path, 'out');
  await stop_after(5000, folder, { max_shard_size: 1e9 });
  const [name = ''] = readdirSync(folder).filter((each) => each.endsWith('.tmp'));
  truncateSync(join(folder, name), 600);
  const written = await write(folder, { max_shard_size: 1e9, resume: true });
  expect(written.resumed_bytes).toBe(0);
  expect(content_of(folder)).toEqual(await expected({ max_shard_size: 1e9 }));
});

test('a folder that vanishes is an error, and nothing is left', async () => {
  const folder = join(root.path, 'out');
  let gone = false;
  const writing = write(folder, {
    chunk_bytes: 512,
    on_progress: () => {
      if (gone) return;
      gone = true;
      rmSync(folder, { recursive: true });
    },
  });
  await expect(writing).rejects.toMatchObject({ name: 'WriteError', code: 'ENOENT', resumable: false });
  expect(readdirSync(root.path)).toEqual([]);
});
