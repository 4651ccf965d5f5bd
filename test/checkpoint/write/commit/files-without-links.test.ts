import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { create_journal, journal_name, read_journal } from '../../../../lib/checkpoint/write/commit/journal.js';
import { temporary_folder } from '../../temporary.js';

// What FAT and file systems over buckets answer.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => Promise.reject(Object.assign(new Error('EPERM: operation not permitted'), { code: 'EPERM' })),
}));

const root = temporary_folder();
const journal = { digest: 'x', replaces: false, committing: false, stale: [], process: null, progress: {} };

test('without hard links a journal is made where there is none, and only there', async () => {
  await create_journal(root.path, journal);
  const text = readFileSync(join(root.path, journal_name), 'utf8');
  expect(await read_journal(root.path)).toEqual(journal);
  await expect(create_journal(root.path, { ...journal, digest: 'y' })).rejects.toMatchObject({ code: 'EBUSY' });
  expect(readFileSync(join(root.path, journal_name), 'utf8')).toBe(text);
  expect(readdirSync(root.path)).toEqual([journal_name]);
  rmSync(join(root.path, journal_name));
});

test('without hard links too, of two at once one is refused', async () => {
  const ended = await Promise.allSettled([create_journal(root.path, journal), create_journal(root.path, journal)]);
  expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(readdirSync(root.path)).toEqual([journal_name]);
});
