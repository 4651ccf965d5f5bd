import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, InterruptedError } from '../../../core/errors.js';
import type { Document, FileSet } from '../../virtual/layout.js';
import { ifThere, PendingFile, removeNames, renameStep, step, syncFolder } from './files.js';
import { heldName, pendingName } from './journal.js';
import type { Recorder } from './recorder.js';
import type { Survey } from './survey.js';

/** Files that nothing is waiting for get their names as soon as they are complete. */
export function holdsBack(set: FileSet, seen: Survey): boolean {
  return seen.replaces || set.index === undefined;
}

/**
 * Gives complete files their names: the config, the weights, and last what says that all is there.
 *
 * Where another checkpoint is replaced, what tells that it is complete goes first, its index or only file: at no time parts of two
 * checkpoints stand beside each other as if they were one.
 */
export async function commit(
  folder: string,
  set: FileSet,
  seen: Survey,
  journal: Recorder,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { config, index, digest } = set;
  const last = join(folder, index?.name ?? set.files[0]?.name ?? '');
  if (signal?.aborted) throw new InterruptedError(last, signal.reason);
  await journal.commit();
  if (seen.replaces || seen.stale.length > 0) {
    const whole = seen.replaces
      ? (index?.name ?? set.files.find(({ name }) => !seen.complete.has(name))?.name)
      : undefined;
    // By what is there: a journal may name anything, and nothing outside of the folder may go.
    const there = new Set(await step('look at', folder, () => readdir(folder)));
    for (const name of [...(whole === undefined ? [] : [whole]), ...seen.stale].filter((each) => there.has(each))) {
      await journal.refuseIfLost(); // a run that was paused finds another checkpoint there, which is whole
      await removeNames(folder, [name]);
    }
    await syncFolder(folder);
  }
  const documents = { digest, journal };
  if (config !== undefined && !seen.config) await writeDocument(folder, config, documents, seen.replaces);
  for (const { name } of set.files) {
    const held = seen.held.get(name) ?? (holdsBack(set, seen) ? heldName(digest, journal.run, name) : undefined);
    if (held === undefined || seen.complete.has(name)) continue;
    const path = join(folder, name);
    if (!seen.replaces) await refuseThere(path);
    await journal.refuseIfLost();
    await renameStep(join(folder, held), path);
  }
  await syncFolder(folder);
  if (index !== undefined) {
    await writeDocument(folder, index, documents, true);
    await syncFolder(folder);
  }
}

async function writeDocument(
  folder: string,
  { name, text }: Document,
  { digest, journal }: { readonly digest: string; readonly journal: Recorder },
  replaces: boolean,
): Promise<void> {
  const path = join(folder, name);
  const file = await PendingFile.create(path, join(folder, pendingName(digest, journal.run, name)), { replace: true });
  try {
    await file.write(Buffer.from(text), 0);
    await file.finish();
    if (!replaces) await refuseThere(path);
    await journal.refuseIfLost();
    await file.publish();
  } catch (cause) {
    await file.discard();
    throw cause;
  }
}

/** Someone else may have been quicker. */
export async function refuseThere(path: string): Promise<void> {
  if ((await step('look at', path, () => ifThere(stat(path)))) === undefined) return;
  throw new InputError(`${path} has appeared meanwhile; existing: 'replace' replaces it`, { path, code: 'EEXIST' });
}
