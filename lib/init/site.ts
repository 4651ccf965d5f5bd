import { rangeError, show } from '../core/check.js';
import { type Dtype, dtypes, roundUp } from '../core/dtype.js';
import type { ConstantFill, NormalFill, OrthogonalFill, TruncNormalFill, UniformFill } from '../core/fill.js';
import { axesOf, fansOf } from './fan.js';
import { gainFor, type Nonlinearity } from './gain.js';

/** Where an initializer is resolved: a checked shape of `size` elements, the dtype, and the name for messages. */
export interface Site {
  readonly fn: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly dtype: Dtype;
}

/** Where a weight's inputs and outputs are: see calculateFans. */
export interface Layout {
  readonly in_axis: readonly number[];
  readonly out_axis: readonly number[];
  readonly groups: number;
}

/** Which fan a variance is divided by; fan_avg is the mean of both. */
export type FanMode = 'fan_in' | 'fan_out' | 'fan_avg';

interface Kaiming extends Layout {
  readonly a: number;
  readonly mode: FanMode;
  readonly nonlinearity: Nonlinearity;
  readonly gain: number | undefined;
}

/** The standard deviation of N(0, 1) truncated at ±2. */
const twoSigma = 0.87962566103423978;

/** What fills a tensor without elements. */
export const nothing: ConstantFill = { kind: 'constant', value: 0 };

function fans(site: Site, values: Layout) {
  return fansOf(site.fn, site.shape, values.in_axis, values.out_axis, values.groups);
}

function fanBy(mode: FanMode, site: Site, values: Layout): number {
  const { fan_in, fan_out } = fans(site, values);
  return mode === 'fan_in' ? fan_in : mode === 'fan_out' ? fan_out : (fan_in + fan_out) / 2;
}

/** gain · sqrt(2 / (fan_in + fan_out)), in PyTorch's order of operations. */
export function xavierStd(site: Site, values: Layout & { readonly gain: number }): number {
  const { fan_in, fan_out } = fans(site, values);
  return site.size === 0 ? 0 : values.gain * Math.sqrt(2 / (fan_in + fan_out));
}

/** gain / sqrt(fan), in PyTorch's order of operations; the gain is that of the nonlinearity unless it is given as a number. */
export function kaimingStd(site: Site, values: Kaiming): number {
  const gain = values.gain ?? gainFor(site.fn, values.nonlinearity, 'a', values.a);
  return gain / Math.sqrt(fanBy(values.mode, site, values));
}

/** PyTorch's warning about a tensor without elements. */
export function noOpWarning(site: Site): string | undefined {
  return site.size === 0 ? 'Initializing zero-element tensors is a no-op' : undefined;
}

/** Refuses what the dtype cannot hold. */
export function fits(site: Site, argument: string, value: number): number {
  if (Math.abs(value) <= dtypes[site.dtype].max || !Number.isFinite(value)) return value;
  throw beyond(site, argument, value);
}

function beyond(site: Site, argument: string, value: number): RangeError {
  const { max } = dtypes[site.dtype];
  return rangeError(site.fn, argument, `at most ${site.dtype}'s largest number, ${max},`, value);
}

/** For an interval between two neighbouring values of the dtype. */
export function emptyInterval(site: Site, a: number, interval: string): RangeError {
  return rangeError(site.fn, 'a', `an interval that holds a value of ${site.dtype}`, a, `of ${interval}`);
}

/**
 * U[a, b), for bounds that the dtype holds.
 *
 * @param argument in whose name a difference beyond the dtype's largest number is refused
 */
export function uniform(site: Site, a: number, b: number, argument = 'b'): UniformFill {
  if (a === b) return { kind: 'uniform', a, b }; // all a, but engines that draw in sequence draw
  if (!(b - a <= dtypes[site.dtype].max)) throw beyond(site, argument === 'b' ? 'b - a' : argument, b - a);
  if (!(roundUp(a, site.dtype) < b)) throw emptyInterval(site, a, `[${a}, ${b})`);
  return { kind: 'uniform', a, b };
}

/**
 * N(mean, std²), for a mean that the dtype holds.
 *
 * @param argument in whose name a std beyond the dtype's largest number is refused
 */
export function normal(site: Site, mean: number, std: number, argument = 'std'): NormalFill {
  if (!(std <= dtypes[site.dtype].max)) throw beyond(site, argument, std);
  return { kind: 'normal', mean, std };
}

/** Refuses a > b. */
export function checkOrder(site: Site, a: number, b: number): void {
  if (a <= b) return;
  const why = `uniform_ expects to return a [from, to) range, but found from=${a} > to=${b}`;
  throw rangeError(site.fn, 'a', `a number ≤ b (${b})`, a, site.fn.startsWith('uniform') ? why : undefined);
}

/** Refuses another number of dimensions than least to most; `why` is PyTorch's message. */
export function checkRank(site: Site, least: number, most: number, what: string, why: string): void {
  const rank = site.shape.length;
  if (rank < least || rank > most) throw rangeError(site.fn, 'shape', what, site.shape, why);
}

/** Rows and columns of a shape of 2 dimensions. */
export function matrix(site: Site): readonly [number, number] {
  checkRank(site, 2, 2, '2 dimensions', 'Only tensors with 2 dimensions are supported');
  return [site.shape[0] ?? 0, site.shape[1] ?? 0];
}

/**
 * Rows and columns of the matrix (outputs, everything else), or the other way round where the outputs stand last: what is orthonormal is the same, and
 * both are stored as they are.
 */
export function flattened(site: Site, out_axis: readonly number[]): readonly [number, number] {
  const { fn, shape } = site;
  const why = 'Only tensors with 2 or more dimensions are supported';
  checkRank(site, 2, Number.POSITIVE_INFINITY, '2 or more dimensions', why);
  const axes = axesOf(fn, 'out_axis', out_axis, shape).sort((a, b) => a - b);
  const first = axes[0] ?? 0;
  const isRun = axes.length > 0 && axes.length < shape.length && axes.every((axis, i) => axis === first + i);
  const isLast = first + axes.length === shape.length;
  if (!isRun || !(first === 0 || isLast)) {
    throw rangeError(
      fn,
      'out_axis',
      'the first axes or the last ones, but not all,',
      out_axis,
      `of shape ${show(shape)}`,
    );
  }
  const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);
  const split = isLast ? first : axes.length;
  return [product(shape.slice(0, split)), product(shape.slice(split))];
}

/** (out, in, *k): its sizes, the product of k, and the index of k's centre. */
export function convolution(site: Site) {
  checkRank(site, 3, 5, '3, 4 or 5 dimensions', 'Only tensors with 3, 4, or 5 dimensions are supported');
  const [outputs = 0, inputs = 0, ...kernel] = site.shape;
  let taps = 1;
  let centre = 0;
  for (const size of kernel) {
    taps *= size;
    centre = centre * size + Math.floor(size / 2);
  }
  return { outputs, inputs, taps, centre };
}

/** Mean 0 and variance scale / fan; a truncated normal lies within two of its own standard deviations before truncation. */
export function varianceScaled(
  site: Site,
  scale: number,
  mode: FanMode,
  distribution: 'normal' | 'uniform' | 'truncated_normal',
  values: Layout,
): UniformFill | NormalFill | TruncNormalFill | ConstantFill {
  if (site.size === 0) return nothing;
  const variance = scale / fanBy(mode, site, values);
  if (variance === 0) return nothing;
  if (distribution === 'normal') return normal(site, 0, Math.sqrt(variance), 'scale');
  if (distribution === 'uniform') {
    const bound = Math.sqrt(3 * variance);
    return uniform(site, -bound, bound, 'scale');
  }
  const std = Math.sqrt(variance) / twoSigma;
  if (!(2 * std <= dtypes[site.dtype].max)) throw beyond(site, 'scale', 2 * std);
  return { kind: 'trunc_normal', mean: 0, std, a: -2 * std, b: 2 * std };
}

/** A rows × cols matrix times gain, element (r, c) at offset + (r·cols + c)·stride of the tensor. */
export function orthogonal(
  site: Site,
  rows: number,
  cols: number,
  gain: number,
  stride = 1,
  offset = 0,
): OrthogonalFill | ConstantFill {
  fits(site, 'gain', gain);
  return site.size === 0 ? nothing : { kind: 'orthogonal', rows, cols, gain, stride, offset };
}
