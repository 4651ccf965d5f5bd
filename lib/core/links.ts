import { readlink } from 'node:fs/promises';

/** For a path where the system finds nothing: what it is if it is a link. */
export async function linkToNowhere(path: string): Promise<string | undefined> {
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? undefined : `a link to ${target}, and there is nothing (ENOENT)`;
}
