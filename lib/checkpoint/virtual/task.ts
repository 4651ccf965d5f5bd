// What a worker of the pool does for a checkpoint: it makes a range of a file's bytes, in memory or in the file, or a whole tensor.
import { writeSync } from 'node:fs';
import { fillPart } from './fill-part.js';
import { type KeyedTensor, makeBytes, type Part } from './range.js';

/** What doRange does; cloned for the worker, so memory in it is shared. */
export type TaskData =
  | { readonly of: 'range'; readonly range: Range; readonly sink: Sink }
  | { readonly of: 'whole'; readonly tensor: KeyedTensor; readonly memory: Uint8Array };

/** Bytes of a file, cut into pieces of the same size, the last of what is left. */
export interface Range {
  readonly parts: readonly Part[];
  readonly bytes: number;
  readonly pieceBytes: number;
}

/** Where bytes go: to memory that the range fills, or to a file at the range's position. */
export type Sink = { readonly memory: Uint8Array } | { readonly fd: number; readonly position: number };

let buffer = new ArrayBuffer(0);

/** Makes piece `index`; false if it was cancelled. */
export function doRange(data: TaskData, index: number, threads: number, cancel?: Int32Array): boolean {
  if (data.of === 'whole') return fillPart(data.tensor, data.memory, 0, data.tensor.key, threads, cancel);
  const { range, sink } = data;
  const begin = index * range.pieceBytes;
  const length = Math.min(range.pieceBytes, range.bytes - begin);
  if ('memory' in sink) {
    return makeBytes(range.parts, sink.memory.subarray(begin, begin + length), begin, threads, cancel);
  }
  if (buffer.byteLength < length) buffer = new ArrayBuffer(length); // kept from piece to piece, and in the caches
  const bytes = new Uint8Array(buffer, 0, length);
  if (!makeBytes(range.parts, bytes, begin, threads, cancel)) return false;
  writeAll(sink.fd, bytes, sink.position + begin);
  return true;
}

/** Writes all bytes at a position, however short the system's single writes are. */
function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    // A single write takes less than 2^31 bytes.
    const written = writeSync(fd, bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done);
    if (written === 0) throw new Error('the system takes no more bytes');
    done += written;
  }
}
