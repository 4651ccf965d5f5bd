import type { Dtype } from '../core/dtype.js';
import { type Fill, isRandom, isWhole } from '../core/fill.js';
import { isTorchKey, type Key } from '../native/addon.js';
import type { NarrowDtype } from '../tensor/narrow.js';
import { bytesEach } from '../tensor/target.js';

/**
 * Nanoseconds an element takes on one core, roughly: enough to cut work into pieces of about the same time, and nothing
 * else leans on it.
 */
const nanoseconds: Readonly<Record<Exclude<Fill['kind'], 'orthogonal' | 'sparse'>, number>> = {
  constant: 0.1,
  uniform: 0.2,
  normal: 0.4,
  trunc_normal: 1,
  diagonal: 0.1,
  log_of_uniform: 50,
  dt_bias: 150,
  log_arange: 50,
  sinusoid: 50,
};
const float64Factor = 4;
/** For each of rows · cols · min(rows, cols). */
const orthogonalNanoseconds = 0.1;
const sparseNanoseconds = 5;

/** The estimated time of `elements` elements of a fill on one core, in nanoseconds. */
export function costOf(fill: Fill, dtype: Dtype | NarrowDtype, elements: number): number {
  const factor = dtype === 'float64' ? float64Factor : 1;
  if (fill.kind === 'sparse') return elements * sparseNanoseconds * factor;
  if (fill.kind === 'orthogonal') {
    return fill.rows * fill.cols * Math.min(fill.rows, fill.cols) * orthogonalNanoseconds * factor;
  }
  return elements * nanoseconds[fill.kind] * factor;
}

/** What a batch of small pieces may cost: about a millisecond. */
export const batchNanoseconds = 1e6;
/** What a worker claims at a time: an eighth of that, so that the last ranges end together. */
const rangeNanoseconds = batchNanoseconds / 8;
const leastRangeBytes = 64 << 10;
const mostRangeBytes = 1 << 20;
const cacheLine = 64;

const mostTinyBytes = 32 << 10;
const mostTinyNanoseconds = 4000;

/**
 * Whether the calling thread fills a tensor itself: handing it to a worker, and copying what comes back, would hold this thread
 * for longer than the fill does.
 */
export function isTiny(fill: Fill, dtype: Dtype | NarrowDtype, elements: number): boolean {
  return elements * bytesEach(dtype) <= mostTinyBytes && costOf(fill, dtype, elements) <= mostTinyNanoseconds;
}

/** How a tensor is cut: `count` ranges, the first of `first` elements, the others of `step`, the last of what is left. */
export interface Split {
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

/** Whether a fill is cut from one sequence of words, in which each range has to jump to its place. */
export function isSequential(fill: Fill, key: Key): boolean {
  return isTorchKey(key) && isRandom(fill);
}

/** Ranges of such a fill: long enough for the jump not to matter, one for each thread but for the largest. */
const leastSequential = 2 ** 17;
const mostSequential = 2 ** 24;

/** Cuts a fill of the engine torch for `threads` threads. */
export function splitSequence(fill: Fill, length: number, threads: number): Split {
  if (isWhole(fill)) return { first: length, step: length, count: 1 };
  const ideal = Math.ceil(length / Math.max(threads, Math.ceil(length / mostSequential)));
  const step = Math.ceil(Math.max(ideal, leastSequential) / cacheLine) * cacheLine;
  return { first: Math.min(step, length), step, count: Math.ceil(length / step) };
}

/**
 * Cuts a tensor into ranges of about an eighth of a millisecond that end at cache lines, counted from the beginning of
 * its buffer. Orthogonal and sparse fills are one range.
 */
export function split(fill: Fill, dtype: Dtype | NarrowDtype, byteOffset: number, length: number): Split {
  if (isWhole(fill)) return { first: length, step: length, count: 1 };
  const bytes = bytesEach(dtype);
  const ideal = (rangeNanoseconds / costOf(fill, dtype, 1)) * bytes;
  const range = Math.min(mostRangeBytes, Math.max(leastRangeBytes, ideal));
  const step = (Math.floor(range / cacheLine) * cacheLine) / bytes;
  const beyond = byteOffset % cacheLine;
  const first = Math.min(length, step - beyond / bytes);
  return { first, step, count: 1 + Math.ceil((length - first) / step) };
}

/** Elements [begin, end) of a range. */
export function rangeOf(
  { first, step }: Pick<Split, 'first' | 'step'>,
  index: number,
  length: number,
): readonly [begin: number, end: number] {
  const begin = index === 0 ? 0 : first + (index - 1) * step;
  return [begin, Math.min(length, first + index * step)];
}
