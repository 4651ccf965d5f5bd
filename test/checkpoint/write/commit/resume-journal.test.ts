import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import {
  create_journal,
  held_name,
  journal_name,
  pending_name,
} from '../../../../lib/checkpoint/write/commit/journal.js';
import { is_running, this_process } from '../../../../lib/checkpoint/write/commit/process.js';
import type { WriteOptions } from '../../../../lib/checkpoint/write/write.js';
import { safetensors_files } from '../../../../lib/formats/safetensors/shards.js';
import { philox_keys } from '../../../../lib/plan/keys.js';
import { resolve_plan } from '../../../../lib/plan/plan.js';
import { content_of } from '../../temporary.js';
import { expected, max_shard_size, planned, root, write } from './resumed.js';

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
