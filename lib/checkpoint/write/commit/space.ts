import { lstat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { WriteError } from '../../../core/errors.js';

/** What a run that ended early has left, and another one removes or writes over before it takes more of the disk. */
export interface Left {
  readonly names: readonly string[];
  /** Of these files so many bytes are counted among what is there already. */
  readonly counted: number;
}

/**
 * Refuses early what the disk has no room for. File systems that do not know their size are taken at their word later.
 *
 * @param left what is in the folder and takes no room besides: a disk may hold one checkpoint and no more, also where a run was killed
 */
export async function checkSpace(folder: string, bytes: number, left: Left): Promise<void> {
  let free: number;
  try {
    const { blocks, bavail, bsize } = await statfs(folder);
    if (blocks === 0) return;
    free = bavail * bsize;
  } catch {
    return;
  }
  if (free >= bytes) return;
  const room = free + Math.max(0, (await diskBytesOf(folder, left.names)) - left.counted);
  if (room >= bytes) return;
  const cause = Object.assign(new Error(`${bytes} bytes are needed, ${room} are free (ENOSPC)`), { code: 'ENOSPC' });
  throw new WriteError('write to', folder, cause);
}

/** What files take on the disk, as far as they are there: less than their lengths where they have holes. */
async function diskBytesOf(folder: string, names: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const name of names) {
    const there = await lstat(join(folder, name)).catch(() => undefined);
    if (there?.isFile()) bytes += there.blocks * 512;
  }
  return bytes;
}
