import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, InterruptedError } from '../../../core/errors.js';
import type { Document, FileSet } from '../../../formats/output-file.js';
import { if_there, PendingFile, remove_names, rename_step, step, sync_folder } from './files.js';
import { held_name, pending_name } from './journal.js';
import type { Survey } from './survey.js';

/** Files that nothing is waiting for get their names as soon as they are complete. */
export function holds_back(set: FileSet, seen: Survey): boolean {
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
  {
    signal,
    before_renames,
  }: { readonly signal: AbortSignal | undefined; readonly before_renames: () => Promise<void> },
): Promise<void> {
  const { config, index, digest } = set;
  const last = join(folder, index?.name ?? set.files[0]?.name ?? '');
  if (signal?.aborted) throw new InterruptedError(last, signal.reason);
  if (seen.replaces) {
    await before_renames();
    await remove_names(folder, [...(index === undefined ? [] : [index.name]), ...seen.stale]);
    await sync_folder(folder);
  }
  if (config !== undefined && !seen.config) await write_document(folder, config, digest, seen.replaces);
  if (holds_back(set, seen)) {
    for (const { name } of set.files) {
      if (seen.complete.has(name)) continue;
      const path = join(folder, name);
      if (!seen.replaces) await refuse_there(path);
      await rename_step(join(folder, held_name(digest, name)), path);
    }
  }
  await sync_folder(folder);
  if (index !== undefined) {
    await write_document(folder, index, digest, true);
    await sync_folder(folder);
  }
}

async function write_document(
  folder: string,
  { name, text }: Document,
  digest: string,
  replaces: boolean,
): Promise<void> {
  const path = join(folder, name);
  const file = await PendingFile.create(path, join(folder, pending_name(digest, name)), { replace: true });
  try {
    await file.write(Buffer.from(text), 0);
    await file.finish();
    if (!replaces) await refuse_there(path);
    await file.publish();
  } catch (cause) {
    await file.discard();
    throw cause;
  }
}

/** Someone else may have been quicker. */
export async function refuse_there(path: string): Promise<void> {
  if ((await step('look at', path, () => if_there(stat(path)))) === undefined) return;
  throw new InputError(`${path} has appeared meanwhile; --force replaces it`, { path, code: 'EEXIST' });
}
