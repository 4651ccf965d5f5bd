import { checkInteger, checkOptions, checkShape, rangeError, typeError } from '../core/check.js';

/** Indices start … start + length - 1 of one dimension. */
export interface SliceRange {
  readonly dim: number;
  readonly start: number;
  readonly length: number;
}

/** A rectangular part of a tensor: the whole tensor's shape, and the ranges of the dimensions that are cut. */
export interface Slice {
  readonly shape: readonly number[];
  readonly ranges: readonly SliceRange[];
}

/** Consecutive elements of the whole tensor that are consecutive in the slice too. */
export interface Run {
  /** Index of the first element within the whole tensor. */
  readonly begin: number;
  readonly length: number;
  /** Where it stands, counted from the first element asked for. */
  readonly at: number;
}

/**
 * A slice as nested loops over runs of equal length: run (i₀, i₁, …) begins at offset + Σ i_k·stride_k of the whole tensor, and
 * runs follow one another in the slice, the last index fastest. Dimensions that memory does not tell apart are merged.
 */
export interface Grid {
  readonly offset: number;
  readonly length: number;
  /** Outermost first. */
  readonly loops: readonly { readonly count: number; readonly stride: number }[];
}

/** The shape of what is cut out. */
export function shapeOfSlice({ shape, ranges }: Slice): number[] {
  const sizes = [...shape];
  for (const { dim, length } of ranges) sizes[dim] = length;
  return sizes;
}

/** The loops over a slice's runs; undefined for a slice without elements. */
export function gridOf({ shape, ranges }: Slice): Grid | undefined {
  let offset = 0;
  let stride = 1;
  let inner = { count: 1, stride: 1 };
  const loops: { count: number; stride: number }[] = [];
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    const size = shape[dim] ?? 0;
    const { start, length } = ranges.find((range) => range.dim === dim) ?? { start: 0, length: size };
    if (length === 0) return undefined;
    offset += start * stride;
    if (length > 1) {
      if (stride === inner.count * inner.stride) {
        inner.count *= length;
      } else {
        loops.unshift(inner);
        inner = { count: length, stride };
      }
    }
    stride *= size;
  }
  loops.unshift(inner);
  return { offset, length: loops.pop()?.count ?? 1, loops };
}

/**
 * The runs that make up elements [begin, end) of a slice, in order; the first and the last may be parts of a row.
 *
 * @param slice a checked slice
 */
export function* runsOf(slice: Slice, begin: number, end: number): Generator<Run, void, undefined> {
  const grid = gridOf(slice);
  if (grid === undefined) return;
  const { offset, length, loops } = grid;
  for (let at = begin; at < end; ) {
    let run = Math.floor(at / length);
    const skip = at - run * length;
    let first = offset + skip;
    for (let k = loops.length - 1; k >= 0; k--) {
      const { count, stride } = loops[k] as Grid['loops'][number];
      const rest = Math.floor(run / count);
      first += (run - rest * count) * stride;
      run = rest;
    }
    const taken = Math.min(length - skip, end - at);
    yield { begin: first, length: taken, at: at - begin };
    at += taken;
  }
}

/**
 * Checks a slice: ranges inside the shape, each dimension cut at most once. A negative dim counts from the end, as PyTorch's does.
 *
 * @param name the shape's, for messages; 'shape' by default
 * @returns the slice, copied, with dims ≥ 0
 * @throws TypeError and RangeError, in the name of `fn`
 */
export function checkSlice(fn: string, shape: unknown, ranges: unknown, name?: string): Slice {
  checkShape(fn, shape, name);
  const sizes = [...(shape as readonly number[])];
  if (!Array.isArray(ranges)) throw typeError(fn, 'ranges', 'an array of { dim, start, length }', ranges);
  const seen = new Set<number>();
  const checked = Array.from(ranges, (range: unknown, i): SliceRange => {
    if (range === undefined || range === null) {
      throw typeError(fn, `ranges[${i}]`, 'an object { dim, start, length }', range);
    }
    const place = `ranges[${i}]`;
    const given = checkOptions(fn, range, ['dim', 'start', 'length'], place);
    const rank = sizes.length;
    if (rank === 0) throw rangeError(fn, place, 'no range for a shape without dimensions', range);
    const dim = checkInteger(fn, `${place}.dim`, given.dim, -rank, rank - 1);
    const positive = dim < 0 ? dim + rank : dim;
    if (seen.has(positive)) throw rangeError(fn, `${place}.dim`, 'each dimension at most once', dim);
    seen.add(positive);
    const size = sizes[positive] ?? 0;
    const start = checkInteger(fn, `${place}.start`, given.start, 0, size);
    const length = checkInteger(fn, `${place}.length`, given.length, 0, size - start);
    return { dim: positive, start, length };
  });
  return { shape: sizes, ranges: checked };
}
