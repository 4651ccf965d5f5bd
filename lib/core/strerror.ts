import { getSystemErrorMap } from 'node:util';

/** What Node.js calls a permission, and what grants it. */
const grants: ReadonlyMap<unknown, string> = new Map([
  ['FileSystemRead', '--allow-fs-read'],
  ['FileSystemWrite', '--allow-fs-write'],
  ['WorkerThreads', '--allow-worker'],
]);

/** What went wrong in the system's own words and with its code, without Node's syscall and path: 'no space left on device (ENOSPC)'. */
export function strerror(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { errno, code, permission } = error as Partial<Record<'errno' | 'code' | 'permission', unknown>>;
  const grant = code === 'ERR_ACCESS_DENIED' ? grants.get(permission) : undefined; // Node.js 20 does not say
  if (grant !== undefined) return `Node.js's permission model refuses it: start Node.js with ${grant} as well`;
  const known = typeof errno === 'number' ? getSystemErrorMap().get(errno) : undefined;
  // Numbers of others, such as zlib's, mean something else.
  return known === undefined || String(code).startsWith('Z_') ? error.message : `${known[1]} (${known[0]})`;
}
