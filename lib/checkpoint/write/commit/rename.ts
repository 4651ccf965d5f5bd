import { rename } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { errorCode } from '../../../core/errors.js';

/** On Windows another program that has the file open for a moment, most often a virus scanner or an indexer, makes a rename fail. */
const passing = ['EPERM', 'EACCES', 'EBUSY'];
/** Milliseconds; together five seconds. */
const waits = [10, 20, 40, 80, 160, 320, 640, 1280, 2450];

/** How a rename is done; tests put other ways in its place. */
export interface Renaming {
  readonly platform?: NodeJS.Platform;
  readonly rename?: (from: string, to: string) => Promise<void>;
  readonly wait?: (milliseconds: number) => Promise<unknown>;
}

/** Renames a file. Windows is asked again for some seconds where it says that the file is in use; elsewhere the first answer counts. */
export async function renamed(
  from: string,
  to: string,
  { platform = process.platform, rename: attempt = rename, wait = setTimeout }: Renaming = {},
): Promise<void> {
  for (const milliseconds of platform === 'win32' ? waits : []) {
    try {
      return await attempt(from, to);
    } catch (cause) {
      if (!passing.includes(errorCode(cause) ?? '')) throw cause;
      await wait(milliseconds);
    }
  }
  await attempt(from, to);
}
