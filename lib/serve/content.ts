// What an answer's bytes are, and how a range of them is asked for (RFC 9110, sections 13 and 14).
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { streamFile } from '../checkpoint/virtual/stream.js';
import type { VirtualCheckpoint } from '../checkpoint/virtual/virtual.js';
import type { Pool } from '../pool/pool.js';
import { chunksOf } from './limits.js';
import type { Asset } from './repositories.js';

/** A file that can be asked for. */
export interface Content {
  readonly name: string;
  readonly size: number;
  /** 40 hexadecimal digits, the same for the same bytes. */
  readonly oid: string;
  readonly modified: Date;
  /** Whether it is made and not stored. */
  readonly isMade: boolean;
  /**
   * Bytes [begin, end); a chunk's memory may be used again once the next is asked for, or the stream is ended.
   *
   * @param requests how many are being answered
   */
  stream(begin: number, end: number, requests: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** All files of a repository at a commit, for answers that have entered the pool. */
export function contentsOf(
  virtual: VirtualCheckpoint,
  assets: readonly Asset[],
  { commit, pool, modified }: { readonly commit: string; readonly pool: Pool; readonly modified: Date },
): ReadonlyMap<string, Content> {
  const contents = new Map<string, Content>();
  const oidOf = (name: string) => createHash('sha1').update(`${commit} ${name}`).digest('hex');
  for (const { name, size } of virtual.files) {
    const stream = (begin: number, end: number, requests: number, signal: AbortSignal) =>
      streamFile(virtual, name, { begin, end, signal, pool, entered: true, reuse: true, ...chunksOf(requests) });
    contents.set(name, { name, size, oid: oidOf(name), modified, isMade: name.endsWith('.safetensors'), stream });
  }
  for (const asset of assets) {
    const { name, size, modified } = asset;
    if (contents.has(name)) continue;
    const stream = (begin: number, end: number, _requests: number, signal: AbortSignal) =>
      readAsset(asset, begin, end, signal);
    contents.set(name, { name, size, oid: oidOf(name), modified, isMade: false, stream });
  }
  return contents;
}

async function* readAsset(
  { path, size, modified }: Asset,
  begin: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)); // a link that came since leads elsewhere
  try {
    // Its head has been sent: what came into its place since must not pass for it.
    const now = await file.stat();
    if (now.size !== size || now.mtime.getTime() !== modified.getTime())
      throw new Error(`${path} changed when it was asked for`);
    const buffer = new Uint8Array(2 ** 16);
    for (let at = begin; at < end; ) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0) throw new Error(`${path} became shorter while it was being read`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Bytes [begin, end) that a Range asks for; 'whole' without one that can be served, 'none' for one beyond the end. */
export function rangeOf(
  header: string | undefined,
  size: number,
): { readonly begin: number; readonly end: number } | 'whole' | 'none' {
  // Several ranges at once may be answered with the whole: no client that we know asks for them.
  const [all, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (all === undefined || (from === '' && to === '')) return 'whole';
  if (from === '') {
    const last = Math.min(Number(to), size);
    return last === 0 ? 'none' : { begin: size - last, end: size };
  }
  if (to !== '' && Number(to) < Number(from)) return 'whole'; // no valid range: to be ignored
  const begin = Number(from);
  return begin >= size ? 'none' : { begin, end: to === '' ? size : Math.min(size, Number(to) + 1) };
}

/** Whether a list of entity tags (`If-None-Match`) has this one; a weak one is as good. */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((each) => ['*', etag].includes(each.trim().replace(/^W\//, '')));
}

/** Whether a client wants another file than there is now: parts of two must not become one (RFC 9110, section 13.2.2). */
export function isOutdated(
  { 'if-match': tags, 'if-unmodified-since': since }: IncomingHttpHeaders,
  etag: string,
  modified: Date,
): boolean {
  if (tags !== undefined) return !tags.split(',').some((each) => ['*', etag].includes(each.trim()));
  return since !== undefined && Math.floor(modified.getTime() / 1000) * 1000 > Date.parse(since); // no date: to be ignored
}
