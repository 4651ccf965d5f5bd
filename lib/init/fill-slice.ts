import { checkInteger, checkOptions, checkShape, rangeError } from '../core/check.js';
import { dtypes } from '../core/dtype.js';
import { type Fill, isWhole } from '../core/fill.js';
import { mostBytes } from '../core/most-bytes.js';
import { shapeText } from '../core/text.js';
import { noKey } from '../native/addon.js';
import { default_generator, type Generator } from '../random/generator.js';
import type { NarrowTensor } from '../tensor/narrow.js';
import { checkSlice, type Slice, type SliceRange, shapeOfSlice } from '../tensor/slice.js';
import { asTarget, drawnIn, isNarrowTarget, type Target } from '../tensor/target.js';
import type { TensorLike } from '../tensor/tensor.js';
import { checkGenerator, checkThreads } from './binding.js';
import { checkNarrowFill } from './check-narrow-fill.js';
import { isDrawn } from './draw.js';
import { fillSliceOfTarget } from './fill-target.js';
import type { Initializer } from './initializers.js';
import { resolveFor } from './resolve.js';

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
 * @param tensor of the part's shape; of a narrow dtype values are drawn in float32, and become the nearest of the grid's
 * @param initializer a name, or an object with a name in `init` and parameters beside it, as in recipes
 * @returns the tensor
 * @throws TypeError and RangeError before the first byte is written
 */
export function fillSlice<T extends TensorLike | NarrowTensor>(
  tensor: T,
  initializer: Initializer,
  options: FillSliceOptions,
): T {
  const call = prepareSlice('fillSlice', tensor, initializer, checkOptions('fillSlice', options, fillSliceOptions));
  const { target, slice, fill, generator, threads, elements } = call;
  const key = call.random ? generator.nextKey(fill, drawnIn(target.dtype), elements) : noKey;
  fillSliceOfTarget(target, fill, key, slice, threads);
  return tensor;
}

/** The names of FillSliceOptions. */
export const fillSliceOptions = ['of', 'ranges', 'generator', 'threads'] as const;

/** A call of fillSlice, all of it checked and none of it done. */
export interface SliceCall {
  readonly target: Target;
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
  const target = asTarget(fn, tensor);
  const slice = checkSlice(fn, given.of, given.ranges, 'of');
  const shape = shapeOfSlice(slice);
  if (shape.length !== target.shape.length || shape.some((size, dim) => size !== target.shape[dim])) {
    throw rangeError(fn, 'tensor', `the shape of the part, ${shapeText(shape)},`, target.shape);
  }
  const threads = given.threads === undefined ? 0 : checkThreads(fn, given.threads);
  const generator = given.generator === undefined ? default_generator : checkGenerator(fn, given.generator);
  const fill = resolveFor(fn, initializer, slice.shape, { dtype: drawnIn(target.dtype) });
  if (isNarrowTarget(target)) checkNarrowFill(fn, fill, target);
  const elements = checkShape(fn, slice.shape);
  if (isWhole(fill) && elements * dtypes[drawnIn(target.dtype)].bytes > mostBytes) {
    throw rangeError(
      fn,
      'of',
      `a shape of at most ${mostBytes} bytes, since ${fill.kind} tensors are made whole,`,
      given.of,
    );
  }
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
