import { getSystemErrorMap } from 'node:util';

/** What went wrong in the system's own words and with its code, without Node's syscall and path: 'no space left on device (ENOSPC)'. */
export function strerror(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { errno, code } = error as { readonly errno?: unknown; readonly code?: unknown };
  const known = typeof errno === 'number' ? getSystemErrorMap().get(errno) : undefined;
  // Numbers of others, such as zlib's, mean something else.
  return known === undefined || String(code).startsWith('Z_') ? error.message : `${known[1]} (${known[0]})`;
}
