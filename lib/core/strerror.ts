import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** What Node.js calls a permission, and what grants it. */
const grants: ReadonlyMap<unknown, string> = new Map([
  ['FileSystemRead', '--allow-fs-read'],
  ['FileSystemWrite', '--allow-fs-write'],
  ['WorkerThreads', '--allow-worker'],
]);

/** What shared disks say and libuv has no name for: Node.js calls it 'Unknown system error -122', in message and code. */
const nameless = new Map<unknown, readonly [code: string, text: string]>();
for (const [code, text] of [
  ['EDQUOT', 'disk quota exceeded'],
  ['ESTALE', 'stale file handle'],
  ['EBADMSG', 'damaged on the disk'],
] as const) {
  nameless.set(-(constants.errno[code] ?? Number.NaN), [code, text]);
}

/** The system's code of an error that Node.js has no name for. */
export const namelessCode = (error: object): string | undefined =>
  'errno' in error ? nameless.get(error.errno)?.[0] : undefined;

/** What went wrong in the system's own words and with its code, without Node's syscall and path: 'no space left on device (ENOSPC)'. */
export function strerror(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { errno, code, permission } = error as Partial<Record<'errno' | 'code' | 'permission', unknown>>;
  const grant = code === 'ERR_ACCESS_DENIED' ? grants.get(permission) : undefined; // Node.js 20 does not say
  if (grant !== undefined) return `Node.js's permission model refuses it: start Node.js with ${grant} as well`;
  const known = typeof errno === 'number' ? (getSystemErrorMap().get(errno) ?? nameless.get(errno)) : undefined;
  // Numbers of others, such as zlib's, mean something else.
  return known === undefined || String(code).startsWith('Z_') ? error.message : `${known[1]} (${known[0]})`;
}
