import { type Dtype, dtypes } from '../core/dtype.js';
import { type Fill, is_random, is_whole } from '../core/fill.js';
import { is_torch_key, type Key } from '../native/addon.js';

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
};
const float64_factor = 4;
/** For each of rows · cols · min(rows, cols). */
const orthogonal_nanoseconds = 0.1;
const sparse_nanoseconds = 5;

/** The estimated time of `elements` elements of a fill on one core, in nanoseconds. */
export function cost_of(fill: Fill, dtype: Dtype, elements: number): number {
  const factor = dtype === 'float64' ? float64_factor : 1;
  if (fill.kind === 'sparse') return elements * sparse_nanoseconds * factor;
  if (fill.kind === 'orthogonal') {
    return fill.rows * fill.cols * Math.min(fill.rows, fill.cols) * orthogonal_nanoseconds * factor;
  }
  return elements * nanoseconds[fill.kind] * factor;
}

/** What a batch of small pieces may cost: about a millisecond. */
export const batch_nanoseconds = 1e6;
/** What a worker claims at a time: an eighth of that, so that the last ranges end together. */
const range_nanoseconds = batch_nanoseconds / 8;
const least_range_bytes = 64 << 10;
const most_range_bytes = 1 << 20;
const cache_line = 64;

const most_tiny_bytes = 32 << 10;
const most_tiny_nanoseconds = 4000;

/**
 * Whether the calling thread fills a tensor itself: handing it to a worker, and copying what comes back, would hold this thread
 * for longer than the fill does.
 */
export function is_tiny(fill: Fill, dtype: Dtype, elements: number): boolean {
  return elements * dtypes[dtype].bytes <= most_tiny_bytes && cost_of(fill, dtype, elements) <= most_tiny_nanoseconds;
}

/** How a tensor is cut: `count` ranges, the first of `first` elements, the others of `step`, the last of what is left. */
export interface Split {
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

/** Whether a fill is cut from one sequence of words, in which each range has to jump to its place. */
export function is_sequential(fill: Fill, key: Key): boolean {
  return is_torch_key(key) && is_random(fill);
}

/** Ranges of such a fill: long enough for the jump not to matter, one for each thread but for the largest. */
const least_sequential = 2 ** 17;
const most_sequential = 2 ** 24;

/** Cuts a fill of the engine torch for `threads` threads. */
export function split_sequence(fill: Fill, length: number, threads: number): Split {
  if (is_whole(fill)) return { first: length, step: length, count: 1 };
  const ideal = Math.ceil(length / Math.max(threads, Math.ceil(length / most_sequential)));
  const step = Math.ceil(Math.max(ideal, least_sequential) / cache_line) * cache_line;
  return { first: Math.min(step, length), step, count: Math.ceil(length / step) };
}

/**
 * Cuts a tensor into ranges of about an eighth of a millisecond that end at cache lines, counted from the beginning of
 * its buffer. Orthogonal and sparse fills are one range.
 */
export function split(fill: Fill, dtype: Dtype, byte_offset: number, length: number): Split {
  if (is_whole(fill)) return { first: length, step: length, count: 1 };
  const { bytes } = dtypes[dtype];
  const ideal = (range_nanoseconds / cost_of(fill, dtype, 1)) * bytes;
  const range = Math.min(most_range_bytes, Math.max(least_range_bytes, ideal));
  const step = (Math.floor(range / cache_line) * cache_line) / bytes;
  const beyond = byte_offset % cache_line;
  const first = Math.min(length, step - beyond / bytes);
  return { first, step, count: 1 + Math.ceil((length - first) / step) };
}

/** Elements [begin, end) of a range. */
export function range_of(
  { first, step }: Pick<Split, 'first' | 'step'>,
  index: number,
  length: number,
): readonly [begin: number, end: number] {
  const begin = index === 0 ? 0 : first + (index - 1) * step;
  return [begin, Math.min(length, first + index * step)];
}
