import { getSystemErrorMap } from 'node:util';

/** What went wrong in the system's own words and with its code, without Node's syscall and path: 'no space left on device (ENOSPC)'. */
export function strerror(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : undefined;
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno);
  return known === undefined ? error.message : `${known[1]} (${known[0]})`;
}
