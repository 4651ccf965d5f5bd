import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, InputError } from '../../../core/errors.js';
import { ifThere, PendingFile, step } from './files.js';
import type { Journal } from './journal-schema.js';

export type { Journal } from './journal-schema.js';

/** There while a checkpoint is unfinished. */
export const journalName = '.nninit-unfinished.json';
const temporaryJournalName = `${journalName}.tmp`;

/** The name of a file until it is complete: the digest keeps those of different checkpoints apart. */
export const pendingName = (digest: string, name: string): string => `.nninit-${digest.slice(0, 12)}-${name}.tmp`;

/** The name of a complete file until all others are complete too. */
export const heldName = (digest: string, name: string): string => `.nninit-${digest.slice(0, 12)}-${name}.done`;

/** What a run that was killed may have left behind, besides its journal. */
export const isLeftover = (name: string): boolean =>
  (name.startsWith(`${journalName}.`) && name.endsWith('.tmp')) || /^\.nninit-[0-9a-f]{12}-.+\.(tmp|done)$/.test(name);

/** The journal in a folder; 'broken' if it cannot be read as one, undefined if there is none. */
export async function readJournal(folder: string): Promise<Journal | 'broken' | undefined> {
  const path = join(folder, journalName);
  const text = await step('read', path, () => ifThere(readFile(path, 'utf8')));
  if (text === undefined) return undefined;
  const { journalSchema } = await import('./journal-schema.js'); // with zod, which takes a while
  try {
    return journalSchema.parse(JSON.parse(text));
  } catch {
    return 'broken';
  }
}

/** Writes a journal where there is none, in one step; of two that try at once, one is refused. */
export async function createJournal(folder: string, journal: Journal): Promise<void> {
  // A name of its own: another process may be at the same.
  const temporary = join(folder, `${journalName}.${randomUUID()}.tmp`);
  const file = await PendingFile.create(join(folder, journalName), temporary);
  try {
    await writeJournal(file, journal);
    await file.publishNew();
  } catch (cause) {
    await file.discard();
    // The other one may have taken the temporary file for a leftover, and removed it.
    const removed = errorCode(cause) === 'ENOENT' && (await readJournal(folder)) !== undefined;
    if (errorCode(cause) !== 'EEXIST' && !removed) throw cause;
    throw new InputError(`another process has just begun to write to ${folder}`, {
      path: folder,
      code: 'EBUSY',
      cause,
    });
  }
}

/** Replaces the journal in one step. */
export async function updateJournal(folder: string, journal: Journal): Promise<void> {
  const temporary = join(folder, temporaryJournalName);
  const file = await PendingFile.create(join(folder, journalName), temporary, { replace: true });
  try {
    await writeJournal(file, journal);
    await file.publish();
  } catch (cause) {
    await file.discard();
    throw cause;
  }
}

async function writeJournal(file: PendingFile, journal: Journal): Promise<void> {
  await file.write(Buffer.from(`${JSON.stringify(journal)}\n`), 0);
  await file.finish();
}
