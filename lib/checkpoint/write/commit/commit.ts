import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, InterruptedError } from '../../../core/errors.js';
import type { Document, FileSet } from '../../virtual/layout.js';
import { ifThere, PendingFile, removeNames, renameStep, step, syncFolder } from './files.js';
import { heldName, pendingName } from './journal.js';
import type { Survey } from './survey.js';

/** Files that nothing is waiting for get their names as soon as they are complete. */
export function holdsBack(set: FileSet, seen: Survey): boolean {
  return seen.replaces || set.index === undefined;
}

/**
 * Gives complete files their names: the config, the weights, and last what says that all is there.
 *
 * Where another checkpoint is replaced, its index goes first, so that at no time an index stands over files of two checkpoints.
 */
export async function commit(
  folder: string,
  set: FileSet,
  seen: Survey,
  { signal, beforeRenames }: { readonly signal: AbortSignal | undefined; readonly beforeRenames: () => Promise<void> },
): Promise<void> {
  const { config, index, digest } = set;
  const last = join(folder, index?.name ?? set.files[0]?.name ?? '');
  if (signal?.aborted) throw new InterruptedError(last, signal.reason);
  if (seen.replaces) {
    await beforeRenames();
    await removeNames(folder, [...(index === undefined ? [] : [index.name]), ...seen.stale]);
    await syncFolder(folder);
  }
  if (config !== undefined && !seen.config) await writeDocument(folder, config, digest, seen.replaces);
  if (holdsBack(set, seen)) {
    for (const { name } of set.files) {
      if (seen.complete.has(name)) continue;
      const path = join(folder, name);
      if (!seen.replaces) await refuseThere(path);
      await renameStep(join(folder, heldName(digest, name)), path);
    }
  }
  await syncFolder(folder);
  if (index !== undefined) {
    await writeDocument(folder, index, digest, true);
    await syncFolder(folder);
  }
}

async function writeDocument(
  folder: string,
  { name, text }: Document,
  digest: string,
  replaces: boolean,
): Promise<void> {
  const path = join(folder, name);
  const file = await PendingFile.create(path, join(folder, pendingName(digest, name)), { replace: true });
  try {
    await file.write(Buffer.from(text), 0);
    await file.finish();
    if (!replaces) await refuseThere(path);
    await file.publish();
  } catch (cause) {
    await file.discard();
    throw cause;
  }
}

/** Someone else may have been quicker. */
export async function refuseThere(path: string): Promise<void> {
  if ((await step('look at', path, () => ifThere(stat(path)))) === undefined) return;
  throw new InputError(`${path} has appeared meanwhile; --force replaces it`, { path, code: 'EEXIST' });
}
