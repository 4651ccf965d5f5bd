import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError } from '../../core/errors.js';
import { openFile } from './file.js';
import { hubAddress } from './hub.js';

/** A file that can be read at any place, on a disk or a server. */
export interface Source {
  readonly path: string;
  readonly size: number;
  /** Differs from that of another file that has come in its place. */
  readonly version: string;
  /**
   * Fills `bytes` with what stands from `position` on.
   *
   * @param signal stops it, at a server; a disk is not waited for that long
   * @throws InputError (ERR_NNINIT_READ) where the system or the server refuses, or the file has become shorter or another one
   */
  read(bytes: Uint8Array, position: number, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Whether a path is the address of a server, or of an object store. */
export const isUrl = (path: string): boolean => /^(?:https?|s3):\/\//i.test(path) && URL.canParse(path);

/**
 * Opens a file.
 *
 * @param path a path, or an address of http, https or s3
 * @throws InputError (ERR_NNINIT_READ); with the `code` ENOENT in its `cause` where there is none
 */
export async function openSource(path: string, signal?: AbortSignal): Promise<Source> {
  if (!isUrl(path)) return openFile(path);
  const { openTarget, openUrl } = await import('./http.js');
  return isKey(path) ? openTarget(await (await import('./s3.js')).targetOf(path), signal) : openUrl(path, signal);
}

/**
 * Opens a file of which something was read before: places that its header tells mean nothing in another file.
 *
 * @throws InputError (ERR_NNINIT_READ) for one that has come in its place since then
 */
export async function openAgain(
  { path, version }: Pick<Source, 'path' | 'version'>,
  signal?: AbortSignal,
): Promise<Source> {
  const source = await openSource(path, signal);
  if (source.version === version) return source;
  await source.close();
  throw new InputError(`${path} was replaced or changed after its header was read`, { path, code: 'ERR_NNINIT_READ' });
}

/**
 * What people give: a path, a URL as text or object, of which those of files become paths, or a repository of the Hub, which becomes an address.
 *
 * @throws InputError
 */
export function pathOf(value: string | URL): string {
  const text = value instanceof URL && isKey(value.href) ? keyOf(value) : String(value);
  if (/^hf:/i.test(text)) return hubAddress(text);
  if (!/^file:/i.test(text)) return text;
  try {
    return fileURLToPath(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`could not read ${text}: ${why}`, { code: 'ERR_NNINIT_READ', path: text, cause });
  }
}

/** Whether an address is of an object store. What follows the bucket is a key as it stands: nothing in it is percent-encoded, a query or a fragment. */
const isKey = (path: string): boolean => /^s3:/i.test(path);

/** The part of an address that names a file. */
export const pathnameOf = (address: string): string => (isKey(address) ? address : new URL(address).pathname);

/** Objects of URL hold keys encoded. */
function keyOf({ host, pathname, href }: URL): string {
  try {
    return `s3://${host}${decodeURIComponent(pathname)}`;
  } catch {
    return href;
  }
}

/** A name beside a file: in the same folder, or at an address that differs in its last part. */
export function beside(path: string, name: string): string {
  if (!isUrl(path)) return join(dirname(path), name);
  if (isKey(path)) return path.replace(/[^/]*$/, () => name);
  const url = new URL(path);
  url.pathname = url.pathname.replace(/[^/]*$/, encodeURIComponent(name));
  return url.href;
}

/** What a file or a document at an address means by a relative path. */
export function relativeTo(source: string, path: string): string {
  if (!isUrl(source)) return join(dirname(source), path);
  if (!isKey(source)) return new URL(path.split('/').map(encodeURIComponent).join('/'), source).href;
  const [, store = '', key = ''] = /^(s3:\/\/[^/]*\/?)(.*)$/is.exec(source) ?? [];
  return store + posix.join(posix.dirname(key), path);
}

/** All of a file, which has a limit as headers have. */
export async function readWhole(
  path: string,
  limit: number,
  refuse: (what: string) => InputError,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const source = await openSource(path, signal);
  try {
    const { size } = source;
    if (size > limit) throw refuse(`${path}: expected at most ${limit} bytes, but there are ${size}`);
    const bytes = new Uint8Array(size);
    await source.read(bytes, 0, signal);
    return bytes;
  } finally {
    await source.close();
  }
}

/** Whether there is no such file, in place of one that cannot be read. */
export function isMissing(error: unknown): boolean {
  return error instanceof InputError && (error.cause as { readonly code?: unknown } | undefined)?.code === 'ENOENT';
}

/** The same, also where a server only says that it is not to be had: stores that let nobody list refuse what is not there. */
export function isMissingOrRefused(error: unknown, path: string): boolean {
  if (isMissing(error)) return true;
  return error instanceof InputError && isUrl(path) && (error.cause as { readonly code?: unknown })?.code === 'EACCES';
}

/**
 * Whether there is such a file. Stores that let nobody list refuse what is not there.
 *
 * @throws InputError (ERR_NNINIT_READ) where it cannot be told: what is done without the file would be wrong with it
 */
export async function exists(path: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await (await openSource(path, signal)).close();
    return true;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { cause } = error as { cause?: { readonly code?: unknown } };
    const isFolder = cause === undefined && !isUrl(path);
    if (isFolder || cause?.code === 'ENOTDIR' || isMissingOrRefused(error, path)) return false;
    throw error;
  }
}

/** The address of a folder's files, for that of the folder or of a repository's page. */
export function folderAt(address: string): string {
  if (isKey(address)) return address.endsWith('/') ? address : `${address}/`;
  const url = new URL(address);
  // The page of a model on the Hub: its files are elsewhere.
  if (url.host === 'huggingface.co' && /^(\/[^/]+){1,2}\/?$/.test(url.pathname)) {
    url.pathname = `${url.pathname.replace(/\/$/, '')}/resolve/main`;
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}
