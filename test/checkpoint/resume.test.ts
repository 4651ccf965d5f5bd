import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { philox_keys } from '../../lib/checkpoint/keys.js';
import {
  create_journal,
  held_name,
  is_leftover,
  journal_name,
  pending_name,
} from '../../lib/checkpoint/resume_journal.js';
import { is_running, this_process } from '../../lib/checkpoint/resume_process.js';
import { safetensors_files } from '../../lib/checkpoint/shards.js';
import { type WriteOptions, write_checkpoint } from '../../lib/checkpoint/writer.js';
import type { InterruptedError } from '../../lib/input/errors.js';
import { type PlannedTensor, resolve_plan } from '../../lib/plan/plan.js';
import { content_of, temporary_folder } from './temporary.js';

const root = temporary_folder();

const planned: readonly PlannedTensor[] = [
  { name: 'a', shape: [100, 64], dtype: 'bfloat16', initializer: 'normal' },
  { name: 'b', shape: [64, 64], dtype: 'bfloat16', initializer: 'orthogonal' },
  { name: 'c', shape: [64, 65], dtype: 'float32', initializer: 'uniform' },
  { name: 'd', shape: [64, 64], dtype: 'float32', initializer: 'normal' },
];
const max_shard_size = 17000;

const write = (folder: string, options: Partial<WriteOptions> = {}, tensors = planned) =>
  write_checkpoint(folder, resolve_plan({ tensors }), {
    keys: philox_keys(7n),
    max_shard_size,
    config: '{}',
    ...options,
  });

/** Writes until so many bytes are written, and stops. */
async function stop_after(bytes: number, folder: string, options: Partial<WriteOptions> = {}): Promise<unknown> {
  const abort = new AbortController();
  const on_progress = (written: number) => written >= bytes && abort.abort('SIGTERM');
  return write(folder, { chunk_bytes: 512, journal_bytes: 1024, signal: abort.signal, on_progress, ...options }).then(
    () => 'finished',
    (cause: unknown) => cause,
  );
}

async function expected(options: Partial<WriteOptions> = {}): Promise<Record<string, string>> {
  const folder = join(root.path, 'expected');
  await write(folder, options);
  const content = content_of(folder);
  rmSync(folder, { recursive: true });
  return content;
}

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

test('force that was stopped goes on with force, and the old checkpoint stays until all is complete', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { keys: philox_keys(1n), config: '{"a": 1}' });
  const old = content_of(folder);
  const ended = await stop_after(30000, folder, { force: true });
  expect(ended).toMatchObject({ resumable: true });
  const { [journal_name]: _, ...visible } = content_of(folder);
  expect(Object.fromEntries(Object.entries(visible).filter(([name]) => !is_leftover(name)))).toEqual(old);
  const written = await write(folder, { resume: true });
  expect(written.resumed_bytes).toBeGreaterThan(20000);
  expect(content_of(folder)).toEqual(await expected());
});

test.each(['safetensors', 'raw'] as const)('%s: force that was killed between the renames goes on', async (format) => {
  const folder = join(root.path, 'out');
  const content = await expected({ format });
  await write(folder, { format, keys: philox_keys(1n) });
  let digest = '';
  // What such a run leaves: some files renamed, some held, the journal saying so.
  const ended = await stop_after(53000, folder, { format, force: true });
  expect(ended).toMatchObject({ resumable: true });
  const journal = JSON.parse(readFileSync(join(folder, journal_name), 'utf8'));
  digest = journal.digest;
  const names = Object.keys(content).filter((name) => /\.(safetensors|bin)$/.test(name));
  await write(join(root.path, 'all'), { format });
  for (const name of names) {
    rmSync(join(folder, pending_name(digest, name)), { force: true });
    writeFileSync(join(folder, held_name(digest, name)), readFileSync(join(root.path, 'all', name)));
  }
  for (const name of names.slice(0, 2)) renameSync(join(folder, held_name(digest, name)), join(folder, name));
  writeFileSync(join(folder, journal_name), JSON.stringify({ ...journal, committing: true, progress: {} }));
  const written = await write(folder, { format, resume: true });
  expect(written.resumed_bytes).toBe(12800 + 8192 + 16640 + 16384);
  expect(content_of(folder)).toEqual(content);
});

test('raw files of an older checkpoint are not taken for those of a forced run', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { format: 'raw', keys: philox_keys(1n) });
  await stop_after(15000, folder, { format: 'raw', force: true });
  await write(folder, { format: 'raw', resume: true });
  expect(content_of(folder)).toEqual(await expected({ format: 'raw' }));
});

test('files of a checkpoint whose manifest is removed already are removed by the run that goes on', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { format: 'npy' });
  const ended = await stop_after(30000, folder, { force: true });
  expect(ended).toMatchObject({ resumable: true });
  const npy = readdirSync(folder).filter((name) => name.endsWith('.npy'));
  expect(npy.length).toBeGreaterThan(1);
  rmSync(join(folder, 'manifest.json'));
  rmSync(join(folder, npy[0] ?? ''));
  writeFileSync(join(folder, 'mine.npy'), 'mine');
  await write(folder, { resume: true });
  const { 'mine.npy': mine, ...written } = content_of(folder);
  expect(written).toEqual(await expected());
  expect(mine).toBeDefined();
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

test.each(['', 'null', '{"digest": 1}'])(
  'a journal that makes no sense (%j) is begun anew, by resume or force',
  async (text) => {
    for (const how of [{ resume: true }, { force: true }]) {
      const folder = join(root.path, 'out');
      mkdirSync(folder);
      writeFileSync(join(folder, journal_name), text);
      await expect(write(folder)).rejects.toThrow(/unfinished checkpoint/);
      await write(folder, how);
      expect(content_of(folder)).toEqual(await expected());
      rmSync(folder, { recursive: true });
    }
  },
);

test('what killed runs left is removed by resume and force', async () => {
  const folder = join(root.path, 'out');
  for (const how of [{ resume: true }, { force: true }]) {
    mkdirSync(folder);
    writeFileSync(join(folder, pending_name('0123456789abcdef', 'model.safetensors')), 'x');
    writeFileSync(join(folder, held_name('0123456789abcdef', 'model-00001-of-00002.safetensors')), 'x');
    await expect(write(folder)).rejects.toThrow(/unfinished checkpoint/);
    await write(folder, how);
    expect(content_of(folder)).toEqual(await expected());
    rmSync(folder, { recursive: true });
  }
});

test('a process that is still writing is left alone', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  const journal = { digest: 'x', replaces: false, committing: false, process: await this_process(), progress: {} };
  writeFileSync(join(folder, journal_name), JSON.stringify(journal));
  for (const how of [{}, { resume: true }, { force: true }]) {
    await expect(write(folder, how)).rejects.toMatchObject({ name: 'InputError', code: 'EBUSY' });
  }
  expect(readdirSync(folder)).toEqual([journal_name]);
});

test('of two at once one is refused, and the other is not disturbed', async () => {
  const folder = join(root.path, 'out');
  const ended = await Promise.allSettled([write(folder), write(folder)]);
  expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(content_of(folder)).toEqual(await expected());
});

test('a journal is there whole or not at all', async () => {
  const journal = { digest: 'x', replaces: true, committing: false, stale: [], process: null, progress: {} };
  const path = join(root.path, journal_name);
  for (let turn = 0; turn < 50; turn++) {
    let done = false;
    const creating = create_journal(root.path, journal).finally(() => {
      done = true;
    });
    // A run that is killed leaves what can be seen at some moment.
    while (!done) {
      if (existsSync(path)) expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(journal);
      await setImmediate();
    }
    await creating;
    expect(readdirSync(root.path)).toEqual([journal_name]);
    await expect(create_journal(root.path, journal)).rejects.toMatchObject({ name: 'InputError', code: 'EBUSY' });
    expect(readdirSync(root.path)).toEqual([journal_name]);
    rmSync(path);
  }
});

test('processes are told apart', async () => {
  const self = await this_process();
  expect(await is_running(self)).toBe(true);
  expect(await is_running({ ...self, host: 'elsewhere' })).toBe(false);
  expect(await is_running({ ...self, started: 'another boot:1' })).toBe(false);
  expect(await is_running({ pid: 2 ** 30, host: self.host })).toBe(false);
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

test('the digest is of all that the files hold', () => {
  const of = (options: Partial<WriteOptions>) =>
    safetensors_files(resolve_plan({ tensors: planned }), {
      keys: philox_keys(7n),
      max_shard_size,
      config: '{}',
      ...options,
    }).digest;
  const digests = [
    of({}),
    of({ keys: philox_keys(8n) }),
    of({ max_shard_size: 1e9 }),
    of({ config: '{ }' }),
    of({ config: undefined }),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});
