/** How far an unfinished checkpoint is, by its files and its journal. */
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileSet, OutputFile } from '../../virtual/layout.js';
import { step } from './files.js';
import { type Extent, heldNames, isLeftover, type Journal, joined, marksOf, pendingName } from './journal.js';

/** A file that is not complete. */
export interface Partial {
  readonly file: string;
  readonly bytes: number;
}

/** How far the files of a set are. */
export async function progressOf(folder: string, set: FileSet, names: readonly string[], journal: Journal | undefined) {
  const there = new Set(names);
  const complete = new Set<string>();
  const held = new Map<string, string>();
  const partial = new Map<string, Partial>();
  const parts = new Map<string, Extent[]>();
  const marks = journal?.parts ? marksOf(names, set.digest, journal.run) : new Map<number, Extent[]>();
  const waiting = heldNames(names, set.digest);
  // Where older files are replaced, those of the same name and length may still be theirs, unless their heads tell. Parts give no names: there they are.
  const ownNames = !journal?.replaces || (set.selfDescribing && !journal.parts);
  const isThere = async (file: OutputFile) =>
    there.has(file.name) && beginsLike(join(folder, file.name), file, file.dataBytes);
  for (const [number, file] of set.files.entries()) {
    const { name } = file;
    const hold = waiting.get(name);
    // What is held or begun has not been renamed yet: a file under the name itself is an older one.
    if (hold !== undefined && (await beginsLike(join(folder, hold), file, file.dataBytes))) {
      held.set(name, hold);
    } else if (ownNames && (await isThere(file))) {
      complete.add(name);
    } else {
      // Marks say nothing where the file that they are of is gone.
      const isMarked = journal !== undefined && there.has(pendingName(set.digest, journal.run, name));
      const extents = isMarked ? joined(marks.get(number) ?? []) : [];
      if (extents.length > 0) parts.set(name, extents);
      const begun = marks.size > 0 && journal ? beginOf(file, extents, journal) : journal?.progress[name];
      if (begun && (await isBegun(folder, file, begun, there))) partial.set(name, begun);
      else if (journal?.committing && (await isThere(file))) complete.add(name);
    }
  }
  return { complete, held, partial, parts };
}

/** A journal can name nothing but files of runs. */
async function isBegun(folder: string, file: OutputFile, begun: Partial, there: ReadonlySet<string>): Promise<boolean> {
  const { file: name, bytes } = begun;
  if (bytes === 0 || bytes > file.dataBytes || !isLeftover(name) || !there.has(name)) return false;
  return beginsLike(join(folder, name), file, bytes);
}

/** The beginning of a file of which parts are written, as far as it has no gap. */
function beginOf({ name, head }: OutputFile, [first]: readonly Extent[], { digest, run }: Journal): Partial {
  const end = first?.begin === 0 ? first.end : 0;
  return { file: pendingName(digest, run, name), bytes: Math.max(0, end - head.length) };
}

/** Whether a file has the head of `file`, and the length of the whole, or at least `dataBytes` of tensors where that is less. */
async function beginsLike(path: string, file: OutputFile, dataBytes: number): Promise<boolean> {
  const { head, fileBytes } = file;
  return step('read', path, async () => {
    const info = await lstat(path);
    if (!info.isFile() || info.size > fileBytes || info.size < head.length + dataBytes) return false;
    const handle = await open(path, 'r');
    try {
      const found = Buffer.alloc(head.length);
      const { bytesRead } = await handle.read(found, 0, head.length, 0);
      return bytesRead === head.length && found.equals(head);
    } finally {
      await handle.close();
    }
  });
}
