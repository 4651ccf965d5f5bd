import { checkInteger, checkOptions, checkShape, rangeError } from '../core/check.js';
import { type Dtype, dtypes, type TensorData, viewOf } from '../core/dtype.js';
import { type Fill, isRandom, isWhole } from '../core/fill.js';
import { elementsOf } from '../core/shape.js';
import { fillRange, fillRuns, isTorchKey, type Key, noKey } from '../native/addon.js';
import { default_generator, type Generator } from '../random/generator.js';
import { checkSlice, gridOf, type Run, runsOf, type Slice, type SliceRange, shapeOfSlice } from '../tensor/slice.js';
import { asTensor, type CheckedTensor, type TensorLike } from '../tensor/tensor.js';
import { checkGenerator, checkThreads } from './binding.js';
import { isDrawn } from './draw.js';
import type { Initializer } from './initializers.js';
import { resolve } from './resolve.js';

/** Loops over runs that the native side takes; shapes of ten and more dimensions can have more. */
const mostLoops = 8;

/** Writes elements [begin, begin + data.length) of the whole fill. */
type RunRange = (data: TensorData, begin: number) => void;

/** Elements: 8 to 32 MB. */
const longestStretch = 2 ** 22;

/**
 * Writes elements [begin, begin + data.length) of a slice of a fill into `data`: the bytes that the whole fill has there. Only what
 * is asked for is made, but for orthogonal and sparse fills, which need the whole's memory meanwhile.
 *
 * @param fill resolved on the whole tensor's shape
 * @param threads native threads; 0 for the number that set_num_threads set
 * @param cancel when another thread makes it non-zero, filling stops
 * @returns false if it was cancelled
 */
export function runFillOfSlice(
  data: TensorData,
  dtype: Dtype,
  fill: Fill,
  key: Key,
  slice: Slice,
  begin: number,
  threads: number,
  cancel?: Int32Array,
): boolean {
  const grid = gridOf(slice);
  if (grid === undefined || data.length === 0) return true;
  const { offset, length, loops } = grid;
  let going = true;
  const run: RunRange = (range, at) => {
    going &&= fillRange(range, dtype, fill, key, at, threads, cancel);
  };
  if (isWhole(fill)) {
    copyFromWhole(data, dtype, slice, begin, run);
  } else if (loops.length === 0) {
    run(data, offset + begin);
  } else if (loops.length <= mostLoops && !(isTorchKey(key) && isRandom(fill))) {
    const runs = Float64Array.from([offset, length, ...loops.flatMap(({ count, stride }) => [count, stride])]);
    return fillRuns(data, dtype, fill, key, runs, begin, threads, cancel);
  } else {
    copyFromStretches(data, dtype, slice, begin, run);
  }
  return going;
}

/**
 * Makes near runs together with what lies between them: for engines that draw in sequence, where to jump a million elements costs
 * as much as to draw them.
 */
function copyFromStretches(data: TensorData, dtype: Dtype, slice: Slice, begin: number, runRange: RunRange): void {
  let near: Run[] = [];
  let memory = new ArrayBuffer(0);
  const flush = (): void => {
    const [first, last] = [near[0], near[near.length - 1]];
    if (first === undefined || last === undefined) return;
    if (first === last) {
      runRange(data.subarray(first.at, first.at + first.length), first.begin);
    } else {
      const length = last.begin + last.length - first.begin;
      const size = dtypes[dtype].bytes;
      if (memory.byteLength < length * size) memory = new ArrayBuffer(length * size);
      const stretch = viewOf(dtype, memory, 0, length);
      runRange(stretch, first.begin);
      for (const run of near) {
        const from = run.begin - first.begin;
        data.set(stretch.subarray(from, from + run.length), run.at);
      }
    }
    near = [];
  };
  for (const run of runsOf(slice, begin, begin + data.length)) {
    if (run.begin + run.length - (near[0]?.begin ?? run.begin) > longestStretch) flush();
    near.push(run);
  }
  flush();
}

function copyFromWhole(data: TensorData, dtype: Dtype, slice: Slice, begin: number, runRange: RunRange): void {
  const elements = elementsOf(slice.shape);
  const whole = viewOf(dtype, new ArrayBuffer(elements * dtypes[dtype].bytes), 0, elements);
  runRange(whole, 0);
  for (const run of runsOf(slice, begin, begin + data.length)) {
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
 *     fillSlice(up, 'xavier_uniform', { of: [16384, 4096], ranges: [{ dim: 0, start: 4096, length: 4096 }], generator });
 *     fillSlice(down, 'xavier_uniform', { of: [4096, 16384], ranges: [{ dim: 1, start: 4096, length: 4096 }], generator });
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
export function fillSlice<T extends TensorLike>(tensor: T, initializer: Initializer, options: FillSliceOptions): T {
  const call = prepareSlice('fillSlice', tensor, initializer, checkOptions('fillSlice', options, fillSliceOptions));
  const { target, slice, fill, generator, threads, elements } = call;
  const key = call.random ? generator.nextKey(fill, target.dtype, elements) : noKey;
  runFillOfSlice(target.data, target.dtype, fill, key, slice, 0, threads);
  return tensor;
}

/** The names of FillSliceOptions. */
export const fillSliceOptions = ['of', 'ranges', 'generator', 'threads'] as const;

/** A call of fillSlice, all of it checked and none of it done. */
export interface SliceCall {
  readonly target: CheckedTensor;
  readonly slice: Slice;
  readonly fill: Fill;
  /** Of the whole tensor. */
  readonly elements: number;
  /** Whether it takes a stream of the generator. */
  readonly random: boolean;
  readonly generator: Generator;
  /** 0 for the number of set_num_threads. */
  readonly threads: number;
}

/** Checks a call of fillSlice, and resolves the fill. */
export function prepareSlice(
  fn: string,
  tensor: unknown,
  initializer: Initializer,
  given: { readonly [N in keyof FillSliceOptions]?: unknown },
): SliceCall {
  const target = asTensor(fn, tensor);
  const slice = checkSlice(fn, given.of, given.ranges);
  const shape = shapeOfSlice(slice);
  if (shape.length !== target.shape.length || shape.some((size, dim) => size !== target.shape[dim])) {
    throw rangeError(fn, 'tensor', `the shape of the part, [${shape.join(', ')}],`, target.shape);
  }
  const threads = given.threads === undefined ? 0 : checkThreads(fn, given.threads);
  const generator = given.generator === undefined ? default_generator : checkGenerator(fn, given.generator);
  const fill = resolve(initializer, slice.shape, { dtype: target.dtype });
  const elements = checkShape(fn, slice.shape);
  return { target, slice, fill, elements, random: isDrawn(initializer) && elements > 0, generator, threads };
}

/**
 * The range of one dimension that is one rank's, as torch.chunk and DTensor's Shard cut it: parts of ceil(size / parts), the last ones
 * shorter or empty.
 *
 *     shardRange(1, 16384, 4, 1)     // { dim: 1, start: 4096, length: 4096 }
 *
 * @param dim the dimension
 * @param size its size, ≥ 0
 * @param parts number of parts, ≥ 1
 * @param part from 0 to parts - 1
 */
export function shardRange(dim: number, size: number, parts: number, part: number): SliceRange {
  const fn = 'shardRange';
  checkInteger(fn, 'dim', dim);
  checkInteger(fn, 'size', size, 0);
  checkInteger(fn, 'parts', parts, 1);
  checkInteger(fn, 'part', part, 0, parts - 1);
  const step = Math.ceil(size / parts);
  const start = Math.min(size, part * step);
  return { dim, start, length: Math.min(step, size - start) };
}
