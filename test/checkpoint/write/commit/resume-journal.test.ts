import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { safetensorsFiles } from '../../../../lib/checkpoint/virtual/shards.js';
import {
  aliveName,
  createJournal,
  heldName,
  journalName,
  pendingName,
  readJournal,
} from '../../../../lib/checkpoint/write/commit/journal.js';
import { stateOf, thisProcess } from '../../../../lib/checkpoint/write/commit/process.js';
import type { WriteOptions } from '../../../../lib/checkpoint/write/write.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import { resolvePlan } from '../../../../lib/plan/plan.js';
import { contentOf } from '../../temporary.js';
import { expected, maxShardSize, planned, root, write } from './resumed.js';

const idle = { run: '01234567', digest: 'x', replaces: false, committing: false, process: null, progress: {} };

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
    writeFileSync(join(folder, pendingName('0123456789abcdef', '01234567', 'model.safetensors')), 'x');
    writeFileSync(join(folder, heldName('0123456789abcdef', '01234567', 'model-00001-of-00002.safetensors')), 'x');
    await expect(write(folder)).rejects.toThrow(/unfinished checkpoint/);
    await write(folder, how);
    expect(contentOf(folder)).toEqual(await expected());
    // Also beside a checkpoint that is complete.
    writeFileSync(join(folder, pendingName('0123456789abcdef', '01234567', 'model.safetensors')), 'x');
    await write(folder, how);
    expect(contentOf(folder)).toEqual(await expected());
    rmSync(folder, { recursive: true });
  }
});

test('a process that is still writing is left alone', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  const journal = { ...idle, process: { pid: process.ppid, host: hostname() } };
  writeFileSync(join(folder, journalName), JSON.stringify(journal));
  for (const how of [{}, { resume: true }, { force: true }]) {
    await expect(write(folder, how)).rejects.toMatchObject({ name: 'InputError', code: 'EBUSY' });
  }
  expect(readdirSync(folder)).toEqual([journalName]);
});

test('a run tells its process, and is left alone while it goes on', async () => {
  const folder = join(root.path, 'out');
  const onBegin = async () => {
    expect(await readJournal(folder)).toMatchObject({ process: await thisProcess() });
    for (const how of [{}, { resume: true }, { force: true }]) {
      const busy = { code: 'EBUSY', message: `process ${process.pid} is writing to ${folder}` };
      await expect(write(folder, how)).rejects.toMatchObject(busy);
    }
  };
  await write(folder, { onBegin });
  expect(contentOf(folder)).toEqual(await expected());
});

test('a run of this process whose thread was ended does not keep its folder', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  writeFileSync(join(folder, journalName), JSON.stringify({ ...idle, process: await thisProcess() }));
  writeFileSync(join(folder, aliveName(idle.run)), '3');
  await write(folder, { force: true, graceMs: 300 });
  expect(contentOf(folder)).toEqual(await expected());
});

test('of two at once one is refused, and the other is not disturbed', async () => {
  const folder = join(root.path, 'out');
  const ended = await Promise.allSettled([write(folder), write(folder)]);
  expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(contentOf(folder)).toEqual(await expected());
});

test('a journal is there whole or not at all', async () => {
  const journal = { ...idle, stale: [], files: [], parts: false };
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
    await expect(createJournal(root.path, { ...journal, run: '89abcdef' })).rejects.toMatchObject({
      name: 'InputError',
      code: 'EBUSY',
    });
    expect(readdirSync(root.path)).toEqual([journalName]);
    rmSync(path);
  }
});

test('processes are told apart, and those that cannot be seen from here are unknown', async () => {
  const self = await thisProcess();
  expect(await stateOf(self)).toBe('own');
  expect(await stateOf({ pid: 2 ** 30, host: self.host })).toBe('gone');
  expect(await stateOf({ pid: self.pid, host: 'elsewhere' })).toBe('unknown');
  expect(await stateOf({ ...self, started: 'another boot:1' })).toBe('gone');
  expect(await stateOf({ ...self, host: 'elsewhere', started: 'another boot:1' })).toBe('unknown');
  if (self.started === undefined) return; // the rest is Linux's
  expect(await stateOf({ ...self, started: self.started.replace(/\d+$/, '1') })).toBe('gone');
  expect(await stateOf({ ...self, host: 'elsewhere' })).toBe('own'); // the same kernel: the name is a container's
  expect(await stateOf({ ...self, space: 'pid:[1]' })).toBe('unknown');
});

const elsewhere = { pid: 1, host: 'elsewhere', started: 'another boot:1' };

test('a run of another machine or container has its folder as long as it shows that it lives', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  writeFileSync(join(folder, journalName), JSON.stringify({ ...idle, process: elsewhere }));
  writeFileSync(join(folder, aliveName(idle.run)), '0');
  let beats = 0;
  const beating = setInterval(() => writeFileSync(join(folder, aliveName(idle.run)), String(++beats)), 100);
  const busy = { name: 'InputError', code: 'EBUSY', message: `process 1 on elsewhere is writing to ${folder}` };
  for (const how of [{ resume: true }, { force: true }]) {
    await expect(write(folder, { ...how, graceMs: 2000 })).rejects.toMatchObject(busy);
  }
  clearInterval(beating);
  await write(folder, { force: true, graceMs: 300 });
  expect(contentOf(folder)).toEqual(await expected());
});

test.skipIf(process.platform === 'win32')(
  'a sign of life that cannot be read does not tell that a run is gone',
  async () => {
    const folder = join(root.path, 'out');
    mkdirSync(folder);
    writeFileSync(join(folder, journalName), JSON.stringify({ ...idle, process: elsewhere }));
    symlinkSync(aliveName(idle.run), join(folder, aliveName(idle.run))); // as good an error as EMFILE or EIO
    for (const how of [{ resume: true }, { force: true }]) {
      await expect(write(folder, { ...how, graceMs: 300 })).rejects.toMatchObject({
        name: 'WriteError',
        code: 'ELOOP',
      });
    }
    expect(readdirSync(folder).sort()).toEqual([aliveName(idle.run), journalName].sort());
  },
);

test('whoever waits for a sign of life can be stopped', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  writeFileSync(join(folder, journalName), JSON.stringify({ ...idle, process: elsewhere }));
  writeFileSync(join(folder, aliveName(idle.run)), '0');
  await expect(write(folder, { force: true, signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
    name: 'InterruptedError',
    path: folder,
    cause: { name: 'TimeoutError' },
  });
  expect(readdirSync(folder).sort()).toEqual([aliveName(idle.run), journalName].sort());
});

test.each(['resume', 'force', 'force of others'] as const)(
  'a run that was paused and taken for gone disturbs nobody: %s',
  async (how) => {
    const folder = join(root.path, 'out');
    const others = how === 'force of others';
    const options = { [how === 'resume' ? 'resume' : 'force']: true, ...(others && { keys: philoxKeys(1n) }) };
    const paused = write(folder, {
      // While it is held up here, another one takes the folder over and finishes.
      onBegin: async () => {
        const journal = JSON.parse(readFileSync(join(folder, journalName), 'utf8'));
        writeFileSync(join(folder, journalName), JSON.stringify({ ...journal, process: elsewhere }));
        await write(folder, { ...options, graceMs: 0 });
      },
    });
    await expect(paused).rejects.toMatchObject({ name: 'InputError', code: 'EBUSY' });
    expect(contentOf(folder)).toEqual(await expected(others ? { keys: philoxKeys(1n) } : {}));
  },
);

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
