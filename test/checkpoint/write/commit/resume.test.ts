import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { journalName, pendingName, readJournal } from '../../../../lib/checkpoint/write/commit/journal.js';
import type { WriteOptions } from '../../../../lib/checkpoint/write/write.js';
import type { InterruptedError } from '../../../../lib/core/errors.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import type { PlannedTensor } from '../../../../lib/plan/plan.js';
import { contentOf } from '../../temporary.js';
import { completeBytes, expected, planned, root, stopAfter, write } from './resumed.js';

const kinds: readonly [string, Partial<WriteOptions>][] = [
  ['shards', {}],
  ['one file', { maxShardSize: 1e9 }],
  ['npy', { format: 'npy' }],
  ['raw', { format: 'raw' }],
];

test.each(kinds)('%s: wherever it is stopped, resume ends with the same bytes', async (_, options) => {
  const content = await expected(options);
  const folder = join(root.path, 'out');
  let resumed = 0;
  for (let bytes = 600; ; bytes += 3100) {
    const ended = await stopAfter(bytes, folder, options);
    if (ended === 'finished') break;
    expect(ended).toMatchObject({ name: 'InterruptedError' });
    if ((ended as InterruptedError).resumable) {
      await expect(write(folder, options)).rejects.toThrow(
        /holds an unfinished checkpoint: existing: 'resume' finishes it/,
      );
      const written = await write(folder, { ...options, resume: true });
      expect(written.resumedBytes).toBeGreaterThan(0);
      expect(contentOf(folder)).toEqual(content);
      resumed += 1;
    }
    rmSync(folder, { recursive: true, force: true });
  }
  expect(contentOf(folder)).toEqual(content);
  expect(resumed).toBeGreaterThan(2);
});

test('what the journal says is on the disk of an unfinished file is not written again', async () => {
  const folder = join(root.path, 'out');
  const size = 2 ** 26;
  const tensors: PlannedTensor[] = [{ name: 'w', shape: [size / 4], dtype: 'float32', initializer: 'normal' }];
  const progress = () => {
    const lines = readFileSync(join(folder, journalName), 'utf8').trim().split(/\n+/);
    const { progress } = lines.map((line) => JSON.parse(line)).findLast((entry) => 'progress' in entry);
    return progress['model.safetensors']?.bytes ?? 0;
  };
  const abort = new AbortController();
  const options = { maxShardSize: 1e9, chunkBytes: 2 ** 16, workers: 0 };
  const writing = write(
    folder,
    {
      ...options,
      journalBytes: 2 ** 20,
      signal: abort.signal,
      onProgress: () => progress() > 0 && abort.abort('SIGTERM'),
    },
    tensors,
  );
  await expect(writing).rejects.toMatchObject({ resumable: true });
  const there = progress();
  let most = 0;
  const onProgress = (bytes: number) => {
    most = bytes;
  };
  const written = await write(folder, { ...options, resume: true, onProgress }, tensors);
  expect(written.resumedBytes).toBe(there);
  expect(most).toBe(size - there);
  const resumed = contentOf(folder);
  await write(folder, { ...options, force: true }, tensors);
  expect(contentOf(folder)).toEqual(resumed);
});

test('stopped before there is anything to keep, it leaves nothing', async () => {
  const folder = join(root.path, 'a/out');
  const ended = await stopAfter(512, folder, { journalBytes: 1e9 });
  expect(ended).toMatchObject({ name: 'InterruptedError', resumable: false });
  expect(readdirSync(root.path)).toEqual([]);
});

test('between what is put on the disk, files that are complete are what a stopped run keeps', async () => {
  const folder = join(root.path, 'out');
  expect(await stopAfter(20_000, folder, { journalBytes: 1e9, maxShardSize: 1e9 })).toMatchObject({ resumable: false });
  expect(readdirSync(root.path)).toEqual([]);
  expect(await stopAfter(20_000, folder, { journalBytes: 1e9, workers: 0 })).toMatchObject({ resumable: true });
  expect(await readJournal(folder)).toMatchObject({ process: null, progress: {} });
  const kept = completeBytes(folder);
  expect(kept).toBeGreaterThan(0);
  expect((await write(folder, { resume: true })).resumedBytes).toBe(kept);
  expect(contentOf(folder)).toEqual(await expected());
});

test('resume starts what is not there, and does nothing to what is complete', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { resume: true });
  expect(contentOf(folder)).toEqual(await expected());
  const times = readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs);
  const written = await write(folder, { resume: true });
  expect(written.resumedBytes).toBe(12800 + 8192 + 16640 + 16384);
  expect(readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs)).toEqual(times);
});

test('resume makes again a shard that was removed, and the index', async () => {
  const folder = join(root.path, 'out');
  await write(folder);
  rmSync(join(folder, 'model-00002-of-00004.safetensors'));
  rmSync(join(folder, 'model.safetensors.index.json'));
  const written = await write(folder, { resume: true });
  expect(written.resumedBytes).toBe(12800 + 16640 + 16384);
  expect(contentOf(folder)).toEqual(await expected());
});

test.each([
  ['seed', { keys: philoxKeys(8n) }],
  ['layout', { maxShardSize: 30000 }],
  ['config', { config: '{"a": 1}' }],
] as const)('resume refuses what was begun with another %s, and touches nothing', async (_, options) => {
  const folder = join(root.path, 'out');
  await stopAfter(20000, folder);
  const before = contentOf(folder);
  await expect(write(folder, { resume: true, ...options })).rejects.toThrow(/unfinished checkpoint of another plan/);
  expect(contentOf(folder)).toEqual(before);
  await write(folder, { force: true, ...options });
  expect(contentOf(folder)).toEqual(await expected(options));
});

test('resume without a journal trusts only heads that are exactly the plan, and whole lengths', async () => {
  const folder = join(root.path, 'out');
  await write(folder);
  const shard = join(folder, 'model-00002-of-00004.safetensors');
  await expect(write(folder, { resume: true, keys: philoxKeys(8n) })).rejects.toThrow(
    /from another plan, seed or version/,
  );
  const other = planned.map((tensor) =>
    tensor.name === 'a' ? { ...tensor, initializer: 'uniform' as const } : tensor,
  );
  await expect(write(folder, { resume: true }, other)).rejects.toThrow(/from another plan, seed or version/);
  await expect(write(folder, { resume: true, maxShardSize: 1e9 })).rejects.toThrow(/of another layout/);
  truncateSync(shard, statSync(shard).size - 1);
  await expect(write(folder, { resume: true })).rejects.toThrow(/model-00002-of-00004.* from another plan/);
});

test('resume refuses an index of others beside files that are the plan, and leaves both', async () => {
  const folder = join(root.path, 'out');
  await write(folder);
  writeFileSync(join(folder, 'model.safetensors.index.json'), '{"weight_map":{}}');
  const before = contentOf(folder);
  await expect(write(folder, { resume: true })).rejects.toThrow(
    /model\.safetensors\.index\.json is there, from another plan, seed or version, or damaged;/,
  );
  expect(contentOf(folder)).toEqual(before);
});

test('a file that is shorter than the journal says is made again', async () => {
  const folder = join(root.path, 'out');
  await stopAfter(5000, folder, { maxShardSize: 1e9 });
  const [name = ''] = readdirSync(folder).filter((each) => each.endsWith('.tmp'));
  truncateSync(join(folder, name), 600);
  const written = await write(folder, { maxShardSize: 1e9, resume: true });
  expect(written.resumedBytes).toBe(0);
  expect(contentOf(folder)).toEqual(await expected({ maxShardSize: 1e9 }));
});

test('what another run has left meanwhile, which was only paused, is removed when all is there', async () => {
  const folder = join(root.path, 'out');
  const left = pendingName('0123456789abcdef', '01234567', 'model.safetensors');
  await write(folder, { onProgress: () => writeFileSync(join(folder, left), 'x') });
  expect(contentOf(folder)).toEqual(await expected());
});

test('a folder that vanishes is an error, and nothing is left', async () => {
  const folder = join(root.path, 'out');
  let gone = false;
  const writing = write(folder, {
    chunkBytes: 512,
    onProgress: () => {
      if (gone) return;
      gone = true;
      renameSync(folder, join(root.path, 'gone')); // in one step: files are being opened in it
    },
  });
  await expect(writing).rejects.toMatchObject({ name: 'WriteError', code: 'ENOENT', resumable: false });
  expect(readdirSync(root.path)).toEqual(['gone']);
});

test('a file that is cut off is said to be damaged, perhaps, and not only of another plan', async () => {
  const folder = join(root.path, 'out');
  await write(folder);
  truncateSync(join(folder, 'model-00002-of-00004.safetensors'), 500);
  await expect(write(folder, { resume: true })).rejects.toThrow(
    /model-00002-of-00004\.safetensors is there, from another plan, seed or version, or damaged;/,
  );
});
