import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { safetensorsFiles } from '../../../../lib/checkpoint/virtual/shards.js';
import { createJournal, heldName, journalName, pendingName } from '../../../../lib/checkpoint/write/commit/journal.js';
import { isRunning, thisProcess } from '../../../../lib/checkpoint/write/commit/process.js';
import type { WriteOptions } from '../../../../lib/checkpoint/write/write.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import { resolvePlan } from '../../../../lib/plan/plan.js';
import { contentOf } from '../../temporary.js';
import { expected, maxShardSize, planned, root, write } from './resumed.js';

test.each(['', 'null', '{"digest": 1}'])(
  'a journal that makes no sense (%j) is begun anew, by resume or force',
  async (text) => {
    for (const how of [{ resume: true }, { force: true }]) {
      const folder = join(root.path, 'out');
      mkdirSync(folder);
      writeFileSync(join(folder, journalName), text);
      await expect(write(folder)).rejects.toThrow(/unfinished checkpoint/);
      await write(folder, how);
      expect(contentOf(folder)).toEqual(await expected());
      rmSync(folder, { recursive: true });
    }
  },
);

test('what killed runs left is removed by resume and force', async () => {
  const folder = join(root.path, 'out');
  for (const how of [{ resume: true }, { force: true }]) {
    mkdirSync(folder);
    writeFileSync(join(folder, pendingName('0123456789abcdef', 'model.safetensors')), 'x');
    writeFileSync(join(folder, heldName('0123456789abcdef', 'model-00001-of-00002.safetensors')), 'x');
    await expect(write(folder)).rejects.toThrow(/unfinished checkpoint/);
    await write(folder, how);
    expect(contentOf(folder)).toEqual(await expected());
    rmSync(folder, { recursive: true });
  }
});

test('a process that is still writing is left alone', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  const journal = { digest: 'x', replaces: false, committing: false, process: await thisProcess(), progress: {} };
  writeFileSync(join(folder, journalName), JSON.stringify(journal));
  for (const how of [{}, { resume: true }, { force: true }]) {
    await expect(write(folder, how)).rejects.toMatchObject({ name: 'InputError', code: 'EBUSY' });
  }
  expect(readdirSync(folder)).toEqual([journalName]);
});

test('of two at once one is refused, and the other is not disturbed', async () => {
  const folder = join(root.path, 'out');
  const ended = await Promise.allSettled([write(folder), write(folder)]);
  expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(contentOf(folder)).toEqual(await expected());
});

test('a journal is there whole or not at all', async () => {
  const journal = { digest: 'x', replaces: true, committing: false, stale: [], process: null, progress: {} };
  const path = join(root.path, journalName);
  for (let turn = 0; turn < 50; turn++) {
    let done = false;
    const creating = createJournal(root.path, journal).finally(() => {
      done = true;
    });
    // A run that is killed leaves what can be seen at some moment.
    while (!done) {
      if (existsSync(path)) expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(journal);
      await setImmediate();
    }
    await creating;
    expect(readdirSync(root.path)).toEqual([journalName]);
    await expect(createJournal(root.path, journal)).rejects.toMatchObject({ name: 'InputError', code: 'EBUSY' });
    expect(readdirSync(root.path)).toEqual([journalName]);
    rmSync(path);
  }
});

test('processes are told apart', async () => {
  const self = await thisProcess();
  expect(await isRunning(self)).toBe(true);
  expect(await isRunning({ ...self, host: 'elsewhere' })).toBe(false);
  expect(await isRunning({ ...self, started: 'another boot:1' })).toBe(false);
  expect(await isRunning({ pid: 2 ** 30, host: self.host })).toBe(false);
});

test('the digest is of all that the files hold', () => {
  const of = (options: Partial<WriteOptions>) =>
    safetensorsFiles(resolvePlan({ tensors: planned }), {
      keys: philoxKeys(7n),
      maxShardSize,
      config: '{}',
      ...options,
    }).digest;
  const digests = [
    of({}),
    of({ keys: philoxKeys(8n) }),
    of({ maxShardSize: 1e9 }),
    of({ config: '{ }' }),
    of({ config: undefined }),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});
