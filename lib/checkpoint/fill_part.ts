import { type Dtype, dtypes, view_of } from '../dtype.js';
import { is_whole } from '../fill.js';
import { type Key, run_fill } from '../native.js';
import { runs_of, type Slice } from '../slice.js';
import type { ResolvedTensor } from './plan.js';

/** A resolved tensor, and the part of it that is to be written where that is not all of it. */
export type PartialTensor = ResolvedTensor & { readonly slice?: Slice | undefined };

/**
 * Fills elements [begin, begin + bytes.length / element size) of what is to be written of a tensor: of its slice, if it has one.
 *
 * Orthogonal and sparse tensors are made whole beside it if anything less than the whole is asked for.
 *
 * @param bytes whole elements; must begin at a multiple of the element size in its buffer (8 always is one)
 * @param key what key_of gave for the tensor and the seed
 * @param threads native threads; 0 for the number that set_num_threads set
 */
export function fill_part(tensor: PartialTensor, bytes: Uint8Array, begin: number, key: Key, threads: number): void {
  if (bytes.length === 0) return;
  const { dtype, fill } = tensor;
  if (!is_filled(dtype)) {
    // Integers, booleans and 8-bit floats are always zeros here.
    bytes.fill(0);
    return;
  }
  const size = dtypes[dtype].bytes;
  const count = bytes.length / size;
  const view = view_of(dtype, bytes.buffer, bytes.byteOffset, count);
  const { slice } = tensor;
  if (is_whole(fill) && (slice !== undefined || count !== tensor.elements)) {
    copy_part(tensor, bytes, begin, begin + count, key, threads);
  } else if (slice === undefined) {
    run_fill(view, dtype, fill, key, begin, threads);
  } else {
    for (const run of runs_of(slice, begin, begin + count)) {
      run_fill(view.subarray(run.at, run.at + run.length), dtype, fill, key, run.begin, threads);
    }
  }
}

function is_filled(dtype: string): dtype is Dtype {
  return Object.hasOwn(dtypes, dtype);
}

/** Makes the whole tensor and copies elements [begin, end) of its slice. */
function copy_part(
  { dtype, fill, elements, slice }: PartialTensor,
  bytes: Uint8Array,
  begin: number,
  end: number,
  key: Key,
  threads: number,
): void {
  const size = dtypes[dtype].bytes;
  const all = slice === undefined ? elements : slice.shape.reduce((product, n) => product * n, 1);
  const memory = new ArrayBuffer(all * size);
  run_fill(view_of(dtype, memory, 0, all), dtype, fill, key, 0, threads);
  const whole = new Uint8Array(memory);
  const runs = slice === undefined ? [{ begin, length: end - begin, at: 0 }] : runs_of(slice, begin, end);
  for (const run of runs) {
    bytes.set(whole.subarray(run.begin * size, (run.begin + run.length) * size), run.at * size);
  }
}
