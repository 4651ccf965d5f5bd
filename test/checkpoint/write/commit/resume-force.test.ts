import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  heldName,
  isLeftover,
  journalName,
  pendingName,
  readJournal,
} from '../../../../lib/checkpoint/write/commit/journal.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import { contentOf } from '../../temporary.js';
import { expected, root, stopAfter, write } from './resumed.js';

test('force that was stopped goes on with force, and the old checkpoint stays until all is complete', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { keys: philoxKeys(1n), config: '{"a": 1}' });
  const old = contentOf(folder);
  const ended = await stopAfter(30000, folder, { force: true });
  expect(ended).toMatchObject({ resumable: true });
  const { [journalName]: _, ...visible } = contentOf(folder);
  expect(Object.fromEntries(Object.entries(visible).filter(([name]) => !isLeftover(name)))).toEqual(old);
  const written = await write(folder, { resume: true });
  expect(written.resumedBytes).toBeGreaterThan(20000);
  expect(contentOf(folder)).toEqual(await expected());
});

test.each(['safetensors', 'raw'] as const)('%s: force that was killed between the renames goes on', async (format) => {
  const folder = join(root.path, 'out');
  const content = await expected({ format });
  await write(folder, { format, keys: philoxKeys(1n) });
  // What such a run leaves: some files renamed, some held, the journal saying so.
  const ended = await stopAfter(53000, folder, { format, force: true });
  expect(ended).toMatchObject({ resumable: true });
  const journal = await readJournal(folder);
  if (journal === undefined || journal === 'broken') throw new Error('expected a journal');
  const { digest, run } = journal;
  const names = Object.keys(content).filter((name) => /\.(safetensors|bin)$/.test(name));
  await write(join(root.path, 'all'), { format });
  for (const name of names) {
    rmSync(join(folder, pendingName(digest, run, name)), { force: true });
    writeFileSync(join(folder, heldName(digest, run, name)), readFileSync(join(root.path, 'all', name)));
  }
  for (const name of names.slice(0, 2)) renameSync(join(folder, heldName(digest, run, name)), join(folder, name));
  writeFileSync(join(folder, journalName), JSON.stringify({ ...journal, committing: true, progress: {} }));
  const written = await write(folder, { format, resume: true });
  expect(written.resumedBytes).toBe(12800 + 8192 + 16640 + 16384);
  expect(contentOf(folder)).toEqual(content);
});

test.each(['npy', 'raw'] as const)(
  '%s files of a run that was stopped are gone when another layout has replaced them',
  async (format) => {
    const folder = join(root.path, 'out');
    await stopAfter(40000, folder, { format });
    expect(readdirSync(folder).filter((name) => /\.(npy|bin)$/.test(name) && !isLeftover(name)).length).toBeGreaterThan(
      0,
    );
    await write(folder, { force: true });
    expect(contentOf(folder)).toEqual(await expected());
  },
);

test.each([{ force: true }, { force: true, base: 'other' }, { force: true, format: 'npy' as const }])(
  'shards of a run that was stopped are gone when another checkpoint has replaced them, whatever its name: %j',
  async (options) => {
    const folder = join(root.path, 'out');
    await stopAfter(40000, folder, { base: 'first' });
    expect(readdirSync(folder)).toContain('first-00001-of-00004.safetensors');
    // One more that ends early knows of them too.
    await stopAfter(1, folder, { base: 'second', force: true });
    await write(folder, options);
    const { force: _, ...layout } = options;
    expect(contentOf(folder)).toEqual(await expected(layout));
  },
);

test('shards under another name that a forced run was to replace stay whole when it is given up', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { base: 'first', keys: philoxKeys(1n) });
  const old = contentOf(folder);
  await stopAfter(40000, folder, { base: 'first', force: true });
  await write(folder, { force: true });
  expect(contentOf(folder)).toEqual({ ...old, ...(await expected()) });
});

test('a file of nobody that a forced run was to replace stays when the run is given up', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  writeFileSync(join(folder, 'a.npy'), 'mine');
  await stopAfter(40000, folder, { format: 'npy', force: true });
  // One more that ends early leaves it alone too.
  await stopAfter(40000, folder, { format: 'raw', force: true });
  await write(folder, { force: true });
  expect(readFileSync(join(folder, 'a.npy'), 'utf8')).toBe('mine');
  const { 'a.npy': _, ...rest } = contentOf(folder);
  expect(rest).toEqual(await expected());
});

test('raw files of an older checkpoint are not taken for those of a forced run', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { format: 'raw', keys: philoxKeys(1n) });
  await stopAfter(15000, folder, { format: 'raw', force: true });
  await write(folder, { format: 'raw', resume: true });
  expect(contentOf(folder)).toEqual(await expected({ format: 'raw' }));
});

test('files of a checkpoint whose manifest is removed already are removed by the run that goes on', async () => {
  const folder = join(root.path, 'out');
  await write(folder, { format: 'npy' });
  const ended = await stopAfter(30000, folder, { force: true });
  expect(ended).toMatchObject({ resumable: true });
  const npy = readdirSync(folder).filter((name) => name.endsWith('.npy'));
  expect(npy.length).toBeGreaterThan(1);
  rmSync(join(folder, 'manifest.json'));
  rmSync(join(folder, npy[0] ?? ''));
  writeFileSync(join(folder, 'mine.npy'), 'mine');
  await write(folder, { resume: true });
  const { 'mine.npy': mine, ...written } = contentOf(folder);
  expect(written).toEqual(await expected());
  expect(mine).toBeDefined();
});
