import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { createJournal, journalName, readJournal } from '../../../../lib/checkpoint/write/commit/journal.js';
import { temporaryFolder } from '../../temporary.js';

// What FAT and file systems over buckets answer.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => Promise.reject(Object.assign(new Error('EPERM: operation not permitted'), { code: 'EPERM' })),
}));

const root = temporaryFolder();
const journal = {
  run: '01234567',
  digest: 'x',
  replaces: false,
  committing: false,
  stale: [],
  files: [],
  parts: false,
  process: null,
  progress: {},
};

test('without hard links a journal is made where there is none, and only there', async () => {
  await createJournal(root.path, journal);
  const text = readFileSync(join(root.path, journalName), 'utf8');
  expect(await readJournal(root.path)).toEqual(journal);
  await expect(createJournal(root.path, { ...journal, run: '89abcdef' })).rejects.toMatchObject({ code: 'EBUSY' });
  expect(readFileSync(join(root.path, journalName), 'utf8')).toBe(text);
  expect(readdirSync(root.path)).toEqual([journalName]);
  rmSync(join(root.path, journalName));
});

test('without hard links too, of two at once one is refused', async () => {
  const ended = await Promise.allSettled([
    createJournal(root.path, journal),
    createJournal(root.path, { ...journal, run: '89abcdef' }),
  ]);
  expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(readdirSync(root.path)).toEqual([journalName]);
});
