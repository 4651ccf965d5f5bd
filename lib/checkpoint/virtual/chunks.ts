import { isWhole } from '../../core/fill.js';
import { storedBytes, storedDtypes } from '../../core/stored-dtype.js';
import type { Key } from '../../native/addon.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { fillPart } from './fill-part.js';

/** A tensor with its place in the data of a file. */
export type PlacedTensor = ResolvedTensor & { readonly offset: number };

/** Elements [begin, end) of a tensor, to stand `at` bytes into a chunk. */
export interface Segment<T extends PlacedTensor = PlacedTensor> {
  readonly tensor: T;
  readonly begin: number;
  readonly end: number;
  readonly at: number;
}

/** A run of consecutive bytes of a file's data: what is filled and written in one piece. */
export interface Chunk<T extends PlacedTensor = PlacedTensor> {
  readonly position: number;
  readonly bytes: number;
  readonly segments: readonly Segment<T>[];
}

/**
 * Cuts the data of a file into chunks of at most `chunkBytes` (a multiple of 8). Small tensors share a chunk, large ones are cut
 * where a chunk ends. Only a tensor that cannot be cut (orthogonal, sparse) and is larger gets a larger chunk, of its own.
 */
export function* cut<T extends PlacedTensor>(tensors: readonly T[], chunkBytes: number): Generator<Chunk<T>> {
  let segments: Segment<T>[] = [];
  let position = 0;
  let bytes = 0;
  const take = (): Chunk<T> => {
    const chunk = { position, bytes, segments };
    position += bytes;
    bytes = 0;
    segments = [];
    return chunk;
  };
  for (const tensor of tensors) {
    if (tensor.elements === 0) continue;
    const { pack, bytes: size } = storedDtypes[tensor.dtype];
    if (isWhole(tensor.fill) && tensor.bytes > chunkBytes - bytes) {
      if (bytes > 0) yield take();
      if (tensor.bytes > chunkBytes) {
        segments = [{ tensor, begin: 0, end: tensor.elements, at: 0 }];
        bytes = tensor.bytes;
        yield take();
        continue;
      }
    }
    for (let begin = 0; begin < tensor.elements; ) {
      const end = Math.min(tensor.elements, begin + Math.floor((chunkBytes - bytes) / size) * pack);
      if (end > begin) segments.push({ tensor, begin, end, at: bytes });
      bytes += storedBytes(tensor.dtype, end - begin);
      begin = end;
      // Less than an element of room counts as full: those that must be aligned only get smaller, and a chunk holds a multiple of 8.
      if (chunkBytes - bytes < size) yield take();
    }
  }
  if (bytes > 0) yield take();
}

/** A tensor with its place, and with what its values depend on besides its fill. */
export type KeyedTensor = PlacedTensor & { readonly key: Key };

/** Fills the memory of a chunk. */
export function fillChunk(chunk: Chunk<KeyedTensor>, memory: ArrayBuffer, threads: number): void {
  for (const { tensor, begin, end, at } of chunk.segments) {
    const bytes = new Uint8Array(memory, at, storedBytes(tensor.dtype, end - begin));
    fillPart(tensor, bytes, begin, tensor.key, threads);
  }
}
