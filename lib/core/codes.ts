import { checkInteger, checkOneOf, checkShape, isPlainObject, rangeError, typeError } from './check.js';
import type { Dtype } from './dtype.js';
import { type Grid, grids } from './grid.js';
import { type StoredDtype, storedBytes } from './stored-dtype.js';

/**
 * How the codes of a weight's values lie in a tensor. The weight is [outputs, inputs], or has more dimensions before these; but in `rows`,
 * codes share words of 32 bits, the first in the lowest.
 *
 * - `rows`: in the weight's own order.
 * - `words`: eight inputs a word, of codes of 8 bits four, and the words transposed: [inputs / 8, outputs] (GPTQ).
 * - `columns`: the weight transposed, eight of its outputs a word: [inputs, outputs / 8] (the experts of gpt-oss).
 * - `interleaved`: so too, but a word has its outputs 0, 2, 4, 6, 1, 3, 5, 7 (AWQ).
 */
export type CodeOrder = 'rows' | 'words' | 'columns' | 'interleaved';

/** What makes a tensor one of codes: of which weight's values, and on what grid. Plain data. */
export interface Codes {
  /** The weight's name, whose values these are under any seed. */
  readonly of: string;
  /** The weight's shape: of the part of it that is written, where the tensor has a slice. */
  readonly shape: readonly number[];
  readonly grid: Grid;
  /** A value is (code - zero)·scale. */
  readonly scale: number;
  readonly zero?: number | undefined;
  /** The codes used, `zero` subtracted: -limit to limit, where that is less than the grid has. */
  readonly limit?: number | undefined;
  readonly order: CodeOrder;
}

/**
 * Whole numbers that are no weights: element i is `start` and, of each term, step·⌊i / every⌋, of which the remainder by `of` is taken where
 * that is given. Shapes, which group an input is in, and tables of distances between places of a window.
 */
export interface Steps {
  readonly start: number;
  readonly terms: readonly StepTerm[];
}

/** What a term of Steps adds. */
export interface StepTerm {
  readonly step: number;
  readonly every: number;
  /** (⌊i / every⌋ mod of) in place of ⌊i / every⌋. */
  readonly of?: number | undefined;
}

/** What makes a tensor one of lengths: element i is the length of column i of another tensor, all of which but the columns are its rows. */
export interface Norms {
  /** The other tensor's name, whose values these are of under any seed. */
  readonly of: string;
  readonly shape: readonly number[];
  /** Of that tensor's values; the tensor's own unless given. */
  readonly dtype?: Dtype | undefined;
}

const orders: readonly CodeOrder[] = ['rows', 'words', 'columns', 'interleaved'];

/**
 * Checks what a plan out of JSON may have wrong.
 *
 * @param dtype the tensor's, `shape` its shape
 * @throws TypeError and RangeError
 */
export function checkCodes(codes: Codes, dtype: StoredDtype, shape: readonly number[]): void {
  const fn = 'plan';
  if (!isPlainObject(codes)) throw typeError(fn, 'codes', 'an object', codes);
  if (typeof codes.of !== 'string') throw typeError(fn, 'codes.of', 'the name of a weight', codes.of);
  const values = checkShape('codes.shape', codes.shape);
  const grid = checkOneOf(fn, 'codes.grid', codes.grid, Object.keys(grids) as Grid[]);
  const order = checkOneOf(fn, 'codes.order', codes.order, orders);
  if (!(codes.scale > 0 && Number.isFinite(Math.fround(1 / Math.fround(codes.scale))))) {
    throw rangeError(fn, 'codes.scale', 'a number > 0 that float32 has, and whose reciprocal it has', codes.scale);
  }
  if (codes.zero !== undefined) checkInteger(fn, 'codes.zero', codes.zero, 0, 255);
  if (codes.limit !== undefined) checkInteger(fn, 'codes.limit', codes.limit, 1, 127);
  const bits = grids[grid].bits * values;
  const bytes = storedBytes(dtype, checkShape('shape', shape));
  if (bytes * 8 !== bits) throw rangeError(fn, 'codes.shape', `a weight whose codes take ${bytes} bytes`, codes.shape);
  if (order === 'rows') return;
  const [outputs = 0, inputs = 0] = codes.shape.slice(-2);
  const aWord = 32 / grids[grid].bits;
  const fits = order === 'words' ? inputs % aWord === 0 : aWord === 8 && outputs % 8 === 0;
  if (codes.shape.length >= 2 && fits) return;
  throw rangeError(fn, 'codes.order', "'rows', or a weight of 4-bit codes in words of eight", order);
}

/** Checks steps that came out of JSON: each sum is to be exact, and a number of the dtype. */
export function checkSteps(steps: Steps, dtype: StoredDtype, shape: readonly number[]): void {
  const fn = 'plan';
  if (!isPlainObject(steps)) throw typeError(fn, 'steps', 'an object', steps);
  checkOneOf(fn, 'dtype', dtype, ['int32', 'int64']);
  let most = Math.abs(checkInteger(fn, 'steps.start', steps.start));
  if (!Array.isArray(steps.terms)) throw typeError(fn, 'steps.terms', 'an array', steps.terms);
  const last = checkShape('shape', shape) - 1;
  for (const [i, term] of steps.terms.entries()) {
    const place = `steps.terms[${i}]`;
    if (!isPlainObject(term)) throw typeError(fn, place, 'an object', term);
    const step = checkInteger(fn, `${place}.step`, term.step);
    const every = checkInteger(fn, `${place}.every`, term.every, 1);
    const times = Math.floor(Math.max(last, 0) / every);
    const of = term.of === undefined ? times + 1 : checkInteger(fn, `${place}.of`, term.of, 1);
    most += Math.abs(step) * Math.min(times, of - 1);
  }
  const limit = dtype === 'int32' ? 2 ** 31 : 2 ** 53;
  if (most >= limit) throw rangeError(fn, 'steps', `sums below 2^${Math.log2(limit)}`, most);
}

/**
 * Checks norms that came out of JSON.
 *
 * @param elements of the tensor
 */
export function checkNorms(norms: Norms, elements: number): void {
  const fn = 'plan';
  if (!isPlainObject(norms)) throw typeError(fn, 'norms', 'an object', norms);
  if (typeof norms.of !== 'string') throw typeError(fn, 'norms.of', 'the name of a tensor', norms.of);
  checkShape('norms.shape', norms.shape);
  if (norms.shape.at(-1) !== elements)
    throw rangeError(fn, 'norms.shape', `a shape of ${elements} columns`, norms.shape);
}
