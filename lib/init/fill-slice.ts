import { check_integer, check_options, check_shape, range_error } from '../core/check.js';
import { type Dtype, dtypes, type TensorData, view_of } from '../core/dtype.js';
import { type Fill, is_random, is_whole } from '../core/fill.js';
import { elements_of } from '../core/shape.js';
import { is_torch_key, type Key, no_key, run_fill, run_fill_of_runs } from '../native/addon.js';
import { default_generator, type Generator } from '../random/generator.js';
import {
  check_slice,
  grid_of,
  type Run,
  runs_of,
  type Slice,
  type SliceRange,
  shape_of_slice,
} from '../tensor/slice.js';
import { as_tensor, type TensorLike } from '../tensor/tensor.js';
import { check_generator, check_threads } from './binding.js';
import { is_drawn } from './draw.js';
import type { Initializer } from './initializers.js';
import { resolve } from './resolve.js';

/** Loops over runs that the native side takes; shapes of ten and more dimensions can have more. */
const most_loops = 8;

/** Writes elements [begin, begin + data.length) of the whole fill. */
type RunRange = (data: TensorData, begin: number) => void;

/** Elements: 8 to 32 MB. */
const longest_stretch = 2 ** 22;

/**
 * Writes elements [begin, begin + data.length) of a slice of a fill into `data`: the bytes that the whole fill has there. Only what
 * is asked for is made, but for orthogonal and sparse fills, which need the whole's memory meanwhile.
 *
 * @param fill resolved on the whole tensor's shape
 * @param threads native threads; 0 for the number that set_num_threads set
 */
export function run_fill_of_slice(
  data: TensorData,
  dtype: Dtype,
  fill: Fill,
  key: Key,
  slice: Slice,
  begin: number,
  threads: number,
): void {
  const grid = grid_of(slice);
  if (grid === undefined || data.length === 0) return;
  const { offset, length, loops } = grid;
  const run: RunRange = (range, at) => {
    run_fill(range, dtype, fill, key, at, threads);
  };
  if (is_whole(fill)) {
    copy_from_whole(data, dtype, slice, begin, run);
  } else if (loops.length === 0) {
    run(data, offset + begin);
  } else if (loops.length <= most_loops && !(is_torch_key(key) && is_random(fill))) {
    const runs = Float64Array.from([offset, length, ...loops.flatMap(({ count, stride }) => [count, stride])]);
    run_fill_of_runs(data, dtype, fill, key, runs, begin, threads);
  } else {
    copy_from_stretches(data, dtype, slice, begin, run);
  }
}

/**
 * Makes near runs together with what lies between them: for engines that draw in sequence, where to jump a million elements costs
 * as much as to draw them.
 */
function copy_from_stretches(data: TensorData, dtype: Dtype, slice: Slice, begin: number, run_range: RunRange): void {
  let near: Run[] = [];
  let memory = new ArrayBuffer(0);
  const flush = (): void => {
    const [first, last] = [near[0], near[near.length - 1]];
    if (first === undefined || last === undefined) return;
    if (first === last) {
      run_range(data.subarray(first.at, first.at + first.length), first.begin);
    } else {
      const length = last.begin + last.length - first.begin;
      const size = dtypes[dtype].bytes;
      if (memory.byteLength < length * size) memory = new ArrayBuffer(length * size);
      const stretch = view_of(dtype, memory, 0, length);
      run_range(stretch, first.begin);
      for (const run of near) {
        const from = run.begin - first.begin;
        data.set(stretch.subarray(from, from + run.length), run.at);
      }
    }
    near = [];
  };
  for (const run of runs_of(slice, begin, begin + data.length)) {
    if (run.begin + run.length - (near[0]?.begin ?? run.begin) > longest_stretch) flush();
    near.push(run);
  }
  flush();
}

function copy_from_whole(data: TensorData, dtype: Dtype, slice: Slice, begin: number, run_range: RunRange): void {
  const elements = elements_of(slice.shape);
  const whole = view_of(dtype, new ArrayBuffer(elements * dtypes[dtype].bytes), 0, elements);
  run_range(whole, 0);
  for (const run of runs_of(slice, begin, begin + data.length)) {
    data.set(whole.subarray(run.begin, run.begin + run.length), run.at);
  }
}

/** Which part of which tensor, and what `init.*_` takes besides. */
export interface FillSliceOptions {
  /** The shape of the whole tensor. */
  readonly of: readonly number[];
  /** Which part of it the tensor is: indices start … start + length - 1 of each dimension named; all of the others. */
  readonly ranges: readonly SliceRange[];
  /** default_generator if left out. It moves on as it does for the whole tensor. */
  readonly generator?: Generator | undefined;
  /** Native threads, 1 to 1024; the number of set_num_threads if left out. */
  readonly threads?: number | undefined;
}

/**
 * Fills a tensor with a rectangular part of what an initializer gives a larger tensor, without making the rest: what one of several
 * tensor-parallel ranks holds of a weight.
 *
 *     // Rank 1 of 4 of a Linear(4096, 16384), cut along its outputs, and of the Linear(16384, 4096) after it, along its inputs:
 *     fill_slice(up, 'xavier_uniform', { of: [16384, 4096], ranges: [{ dim: 0, start: 4096, length: 4096 }], generator });
 *     fill_slice(down, 'xavier_uniform', { of: [4096, 16384], ranges: [{ dim: 1, start: 4096, length: 4096 }], generator });
 *
 * Fans, gains and bounds are those of the whole shape, the bytes are those that `init.*_` gives the whole tensor, and the generator
 * is left as that leaves it: ranks that make the same calls with equal generators hold parts of one model, whatever their number.
 *
 * Orthogonal and sparse tensors are made whole beside it.
 *
 * @param tensor of the part's shape
 * @param initializer a name, or an object with a name in `init` and parameters beside it, as in recipes
 * @returns the tensor
 * @throws TypeError and RangeError before the first byte is written
 */
export function fill_slice<T extends TensorLike>(tensor: T, initializer: Initializer, options: FillSliceOptions): T {
  const fn = 'fill_slice';
  const target = as_tensor(fn, tensor);
  const given = check_options(fn, options, ['of', 'ranges', 'generator', 'threads']);
  const slice = check_slice(fn, given.of, given.ranges);
  const shape = shape_of_slice(slice);
  if (shape.length !== target.shape.length || shape.some((size, dim) => size !== target.shape[dim])) {
    throw range_error(fn, 'tensor', `the shape of the part, [${shape.join(', ')}],`, target.shape);
  }
  const threads = given.threads === undefined ? 0 : check_threads(fn, given.threads);
  const generator = given.generator === undefined ? default_generator : check_generator(fn, given.generator);
  const fill = resolve(initializer, slice.shape, { dtype: target.dtype });
  const elements = check_shape(fn, slice.shape);
  const random = is_drawn(initializer) && elements > 0;
  const key = random ? generator.next_key(fill, target.dtype, elements) : no_key;
  run_fill_of_slice(target.data, target.dtype, fill, key, slice, 0, threads);
  return tensor;
}

/**
 * The range of one dimension that is one rank's, as torch.chunk and DTensor's Shard cut it: parts of ceil(size / parts), the last ones
 * shorter or empty.
 *
 *     shard_range(1, 16384, 4, 1)     // { dim: 1, start: 4096, length: 4096 }
 *
 * @param dim the dimension
 * @param size its size, ≥ 0
 * @param parts number of parts, ≥ 1
 * @param part from 0 to parts - 1
 */
export function shard_range(dim: number, size: number, parts: number, part: number): SliceRange {
  const fn = 'shard_range';
  check_integer(fn, 'dim', dim);
  check_integer(fn, 'size', size, 0);
  check_integer(fn, 'parts', parts, 1);
  check_integer(fn, 'part', part, 0, parts - 1);
  const step = Math.ceil(size / parts);
  const start = Math.min(size, part * step);
  return { dim, start, length: Math.min(step, size - start) };
}
