import { appendFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import {
  addToJournal,
  type Begin,
  Claim,
  createJournal,
  isLeftover,
  journalName,
  readJournal,
} from '../../../../lib/checkpoint/write/commit/journal.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import { contentOf } from '../../temporary.js';
import { completeBytes, expected, root, write } from './resumed.js';

/** What happens in the folder between the look at it and the moment since which it is the run's. */
let meanwhile: () => void = () => {};

vi.mock(import('../../../../lib/checkpoint/write/commit/space.js'), () => ({ checkSpace: async () => meanwhile() }));

const begin = (run: string, more: Partial<Begin> = {}): Begin => ({
  ...{ run, digest: 'x', replaces: false, committing: false, stale: [], files: [], parts: false, process: null },
  ...{ progress: {}, ...more },
});

test('of two that take a folder over at once the first one has it, and what the others add is passed over', async () => {
  const folder = root.path;
  const [one, two, three] = ['00000001', '00000002', '00000003'];
  const owner = async () => {
    const journal = await readJournal(folder);
    return journal === 'broken' ? journal : journal?.run;
  };
  await createJournal(folder, begin(one));
  const claims = [one, two, three].map((run) => new Claim(folder, run));
  const held = () => Promise.all(claims.map((claim) => claim.holds()));
  expect(await held()).toEqual([true, false, false]);
  await addToJournal(folder, begin(two, { over: one }));
  await addToJournal(folder, begin(three, { over: one }));
  expect(await owner()).toBe(two);
  expect(await held()).toEqual([false, true, false]);
  await addToJournal(folder, { run: one, committing: true });
  expect(await readJournal(folder)).toEqual(begin(two));
  await addToJournal(folder, { run: two, progress: { a: { file: 'b', bytes: 3 } } });
  appendFileSync(join(folder, journalName), '\n{"run":"00000002","commit'); // a crash cuts a line off
  expect(await readJournal(folder)).toEqual(begin(two, { progress: { a: { file: 'b', bytes: 3 } } }));
  await addToJournal(folder, begin(three, { over: two }));
  expect(await owner()).toBe(three);
  expect(await held()).toEqual([false, false, true]);
});

test('nothing is added to a journal that is not there, nor through a link', async () => {
  const gone = { name: 'InputError', code: 'EBUSY' };
  await expect(addToJournal(root.path, { run: '00000001', committing: true })).rejects.toMatchObject(gone);
  expect(readdirSync(root.path)).toEqual([]);
  const other = join(root.path, 'other');
  writeFileSync(other, '');
  symlinkSync(other, join(root.path, journalName));
  await expect(addToJournal(root.path, { run: '00000001', committing: true })).rejects.toMatchObject({ code: 'ELOOP' });
  expect(readFileSync(other, 'utf8')).toBe('');
});

test('a journal that is made anew is not taken for the one before, though it be as long', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  await createJournal(folder, begin('00000001'));
  const claim = new Claim(folder, '00000001');
  expect(await claim.holds()).toBe(true);
  writeFileSync(join(folder, journalName), `\n${JSON.stringify(begin('00000002'))}\n`);
  expect(await claim.holds()).toBe(false);
});

test.each([
  ['a file that is begun', { maxShardSize: 1e9 }, /\.tmp$/],
  ['complete files that wait for the others', {}, /\.done$/],
] as const)(
  'a run that has lost its folder leaves there what the other one goes on with: %s',
  async (_, layout, which) => {
    const folder = join(root.path, 'out');
    await write(folder, { ...layout, keys: philoxKeys(1n) });
    let kept: string[] = [];
    const takeOver = (bytes: number) => {
      kept = readdirSync(folder).filter((name) => isLeftover(name) && which.test(name));
      const [file] = kept;
      if (file === undefined || bytes < 20_000) return;
      const [first = ''] = readFileSync(join(folder, journalName), 'utf8').trim().split('\n');
      const { run, ...begun } = JSON.parse(first);
      const progress = which.test('.tmp') ? { 'model.safetensors': { file, bytes: 10_000 } } : {};
      const other = { run: '89abcdef', ...begun, over: run, process: null, progress };
      appendFileSync(join(folder, journalName), `\n${JSON.stringify(other)}\n`);
      throw new Error('enough');
    };
    const how = { ...layout, chunkBytes: 512, workers: 0, force: true };
    await expect(write(folder, { ...how, onProgress: takeOver })).rejects.toMatchObject({ code: 'EBUSY' });
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(kept));
    const held = which.test('.tmp') ? 10_000 : completeBytes(folder, /-0000(\d)-of-00004\.safetensors\.done$/);
    expect(held).toBeGreaterThan(0);
    expect((await write(folder, { ...layout, resume: true })).resumedBytes).toBe(held);
    expect(contentOf(folder)).toEqual(await expected(layout));
  },
);

test('a run that has lost its folder while it wrote gives no file its name', async () => {
  const folder = join(root.path, 'out');
  let taken = false;
  const onProgress = () => {
    if (taken) return;
    taken = true;
    const [first = ''] = readFileSync(join(folder, journalName), 'utf8').trim().split('\n');
    const { run, ...begun } = JSON.parse(first);
    const other = { run: '89abcdef', ...begun, over: run };
    appendFileSync(join(folder, journalName), `\n${JSON.stringify(other)}\n`);
  };
  await expect(write(folder, { onProgress })).rejects.toMatchObject({ code: 'EBUSY' });
  expect(taken).toBe(true);
  expect(readdirSync(folder)).toEqual([journalName]);
});

const gone = { pid: 2 ** 30, host: 'elsewhere', started: 'another boot:1' };

test.each(['force', 'force that is stopped, and then force'])(
  'what a run has named until its folder was taken over is removed by whoever replaces it: %s',
  async (how) => {
    const folder = join(root.path, 'out');
    mkdirSync(folder);
    await createJournal(folder, begin('00000001', { files: ['z.npy'], process: gone }));
    const abort = new AbortController();
    meanwhile = () => {
      // It was only paused.
      writeFileSync(join(folder, 'z.npy'), 'x');
      writeFileSync(join(folder, 'config.json'), '{}');
      if (how !== 'force') abort.abort('SIGTERM');
    };
    const options = { force: true, graceMs: 0, config: '{"a": 1}' };
    if (how !== 'force') {
      await expect(write(folder, { ...options, signal: abort.signal })).rejects.toMatchObject({ resumable: true });
      expect(readdirSync(folder).filter((name) => !isLeftover(name))).toEqual([journalName, 'config.json', 'z.npy']);
      meanwhile = () => {};
    }
    await write(folder, options);
    meanwhile = () => {};
    expect(contentOf(folder)).toEqual(await expected({ config: '{"a": 1}' }));
  },
);
