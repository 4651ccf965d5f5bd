import type { OutputFile } from '../../virtual/layout.js';
import type { Extent } from '../commit/journal.js';
import type { Survey } from '../commit/survey.js';

/** More parts than anyone has processes. */
export const mostParts = 1_000_000;

/** One of the parts that the files of a checkpoint are cut into: `index` counts from 0. */
export interface Part {
  readonly index: number;
  readonly count: number;
}

/** An extent of a file of a checkpoint, which is the one numbered so. */
export interface FileExtent extends Extent {
  readonly file: number;
}

interface Sized {
  readonly files: readonly Pick<OutputFile, 'name' | 'head' | 'fileBytes'>[];
}

type Seen = Pick<Survey, 'complete' | 'held' | 'partial' | 'parts'>;

/** Files are cut at multiples of this, so that no page or stripe of a shared disk is of two parts. */
export const cutBytes = 2 ** 20;

/** What a part has to write: its share of all files one after another, so many bytes as the others within a MiB; in order. */
export function shareOf({ files }: Sized, { index, count }: Part): FileExtent[] {
  const total = files.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  // Exact also beyond 2^53 / count.
  const cut = (i: number): number => Number((BigInt(total) * BigInt(i)) / BigInt(count));
  const [from, to] = [cut(index), cut(index + 1)];
  const extents: FileExtent[] = [];
  let at = 0;
  for (const [file, { fileBytes }] of files.entries()) {
    const place = (position: number): number => {
      if (position >= at + fileBytes) return fileBytes;
      return Math.max(0, Math.floor((position - at) / cutBytes) * cutBytes);
    };
    // A file without a byte is of the part that is there when its place comes, or of the last one.
    const isEmpty = fileBytes === 0 && at >= from && (at < to || index === count - 1);
    const [begin, end] = [place(from), place(to)];
    if (begin < end || isEmpty) extents.push({ file, begin: fileBytes === 0 ? 0 : begin, end });
    at += fileBytes;
  }
  return extents;
}

/** What of an extent is not on the disk yet. */
export function missingOf({ files }: Sized, wanted: FileExtent, seen: Seen): FileExtent[] {
  const { name = '', head, fileBytes } = files[wanted.file] ?? {};
  if (seen.complete.has(name) || seen.held.has(name)) return [];
  const begun = seen.partial.get(name);
  const prefix = begun === undefined ? [] : [{ begin: 0, end: (head?.length ?? 0) + begun.bytes }];
  const missing: FileExtent[] = [];
  let at = wanted.begin;
  for (const { begin, end } of [...prefix, ...(seen.parts.get(name) ?? [])]) {
    if (begin > at && at < wanted.end) missing.push({ ...wanted, begin: at, end: Math.min(begin, wanted.end) });
    at = Math.max(at, end);
  }
  if (at < wanted.end || fileBytes === 0) missing.push({ ...wanted, begin: at });
  return missing;
}

/** What of a share is not on the disk yet. */
export const missingOfAll = (set: Sized, share: readonly FileExtent[], seen: Seen): FileExtent[] =>
  share.flatMap((extent) => missingOf(set, extent, seen));
