import { InterruptedError } from '../../core/errors.js';
import { storedDtypes, storedElements } from '../../core/stored-dtype.js';
import type { FileHeader } from '../../formats/reader.js';
import { openAgain } from '../../formats/source/source.js';
import type { Pair } from '../verify/match.js';

/** Elements [begin, begin + bytes.length / element size) of a tensor, as they are in the file. */
export interface Piece {
  readonly pair: Pair;
  readonly begin: number;
  /** Valid until the next piece is asked for; not aligned. */
  readonly bytes: Uint8Array;
}

export interface ReadOptions {
  /** Bytes read at a time, and the most of a piece; rounded up to a multiple of 8. */
  readonly chunkBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Consecutive bytes of a file that are read together. */
interface Chunk {
  readonly position: number;
  bytes: number;
  readonly parts: { readonly pair: Pair; readonly begin: number; readonly at: number; readonly bytes: number }[];
}

const defaultChunkBytes = 4 * 2 ** 20;

/** Chunks that are being read while one is worked on. */
const readsAhead = 3;

/**
 * Reads the tensors' bytes file after file, each once and in its order, small ones several at a time, always a few chunks ahead of
 * whoever works on them. A piece holds whole elements.
 *
 * @throws InputError (ERR_NNINIT_READ) where the system refuses or a file has become shorter; InterruptedError after `signal`
 */
export async function* pieces(
  pairs: readonly Pair[],
  options: ReadOptions = {},
): AsyncGenerator<Piece, void, undefined> {
  const total = pairs.reduce((sum, { found }) => sum + found.offsets[1] - found.offsets[0], 0);
  const wanted = Math.min(total, options.chunkBytes ?? defaultChunkBytes);
  const size = Math.ceil(Math.max(8, wanted) / 8) * 8;
  const buffers = Array.from({ length: readsAhead + 1 }, () => new Uint8Array(size));
  for (const [file, list] of byFile(pairs)) yield* piecesOfFile(file, [...chunksOf(list, size)], buffers, options);
}

function byFile(pairs: readonly Pair[]): Map<FileHeader, Pair[]> {
  const files = new Map<FileHeader, Pair[]>();
  for (const pair of pairs) {
    const list = files.get(pair.found.file);
    if (list === undefined) files.set(pair.found.file, [pair]);
    else list.push(pair);
  }
  return files;
}

/** @param buffers one for each chunk that is being read, and one for the chunk that is worked on */
async function* piecesOfFile(
  file: FileHeader,
  chunks: readonly Chunk[],
  buffers: readonly Uint8Array[],
  { signal }: ReadOptions,
): AsyncGenerator<Piece, void, undefined> {
  const source = await openAgain(file, signal);
  const reading: Promise<Uint8Array>[] = [];
  const begin = (i: number): void => {
    const chunk = chunks[i];
    const buffer = buffers[i % buffers.length];
    if (chunk === undefined || buffer === undefined) return;
    const bytes = buffer.subarray(0, chunk.bytes);
    const read = source.read(bytes, file.dataOffset + chunk.position, signal).then(() => bytes);
    read.catch(() => {}); // it is looked at when its turn comes
    reading[i] = read;
  };
  try {
    for (let i = 0; i < readsAhead; i++) begin(i);
    for (const [i, { parts }] of chunks.entries()) {
      if (signal?.aborted) throw new InterruptedError(file.path, signal.reason, `while ${file.path} was being read`);
      begin(i + readsAhead);
      const bytes = await (reading[i] as Promise<Uint8Array>);
      for (const part of parts) {
        yield { pair: part.pair, begin: part.begin, bytes: bytes.subarray(part.at, part.at + part.bytes) };
      }
    }
  } finally {
    await Promise.allSettled(reading);
    await source.close();
  }
}

function* chunksOf(pairs: readonly Pair[], size: number): Generator<Chunk, void, undefined> {
  let chunk: Chunk | undefined;
  for (const pair of pairs) {
    const [first, last] = pair.found.offsets;
    const { dtype } = pair.planned;
    const element = storedDtypes[dtype].bytes;
    for (let at = first; at < last; ) {
      const follows = chunk !== undefined && chunk.position + chunk.bytes === at;
      if (chunk !== undefined && !(follows && size - chunk.bytes >= element)) {
        yield chunk;
        chunk = undefined;
      }
      chunk ??= { position: at, bytes: 0, parts: [] };
      const room = Math.floor((size - chunk.bytes) / element) * element;
      const bytes = Math.min(last - at, room);
      chunk.parts.push({ pair, begin: storedElements(dtype, at - first), at: chunk.bytes, bytes });
      chunk.bytes += bytes;
      at += bytes;
    }
  }
  if (chunk !== undefined) yield chunk;
}
