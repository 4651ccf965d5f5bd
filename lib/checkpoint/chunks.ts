import { dtypes, view_of } from '../dtype.js';
import { is_whole } from '../fill.js';
import { run_fill } from '../native.js';
import type { ResolvedTensor } from './plan.js';

/** A tensor with its place in the data of a file. */
export type PlacedTensor = ResolvedTensor & { readonly offset: number };

/** Elements [begin, end) of a tensor, to stand `at` bytes into a chunk. */
export interface Segment {
  readonly tensor: PlacedTensor;
  readonly begin: number;
  readonly end: number;
  readonly at: number;
}

/** A run of consecutive bytes of a file's data: what is filled and written in one piece. */
export interface Chunk {
  readonly position: number;
  readonly bytes: number;
  readonly segments: readonly Segment[];
}

/**
 * Cuts the data of a file into chunks of at most `chunk_bytes` (a multiple of 8). Small tensors share a chunk, large ones are cut
 * where a chunk ends. Only a tensor that cannot be cut (orthogonal, sparse) and is larger gets a larger chunk, of its own.
 */
export function* cut(tensors: readonly PlacedTensor[], chunk_bytes: number): Generator<Chunk> {
  let segments: Segment[] = [];
  let position = 0;
  let bytes = 0;
  const take = (): Chunk => {
    const chunk = { position, bytes, segments };
    position += bytes;
    bytes = 0;
    segments = [];
    return chunk;
  };
  for (const tensor of tensors) {
    if (tensor.elements === 0) continue;
    const size = dtypes[tensor.dtype].bytes;
    if (is_whole(tensor.fill) && tensor.bytes > chunk_bytes - bytes) {
      if (bytes > 0) yield take();
      if (tensor.bytes > chunk_bytes) {
        segments = [{ tensor, begin: 0, end: tensor.elements, at: 0 }];
        bytes = tensor.bytes;
        yield take();
        continue;
      }
    }
    for (let begin = 0; begin < tensor.elements; ) {
      const end = Math.min(tensor.elements, begin + Math.floor((chunk_bytes - bytes) / size));
      if (end > begin) segments.push({ tensor, begin, end, at: bytes });
      bytes += (end - begin) * size;
      begin = end;
      // Less than an element of room counts as full: dtypes only get smaller, and a chunk holds a multiple of 8.
      if (chunk_bytes - bytes < size) yield take();
    }
  }
  if (bytes > 0) yield take();
}

/** Fills the memory of a chunk. */
export function fill_chunk(chunk: Chunk, memory: ArrayBuffer, seed: bigint, threads: number): void {
  for (const { tensor, begin, end, at } of chunk.segments) {
    const view = view_of(tensor.dtype, memory, at, end - begin);
    run_fill(view, tensor.dtype, tensor.fill, { seed, stream: tensor.stream }, begin, threads);
  }
}
