/**
 * A Fill is an initializer resolved on one shape: plain data, and all that the kernels know.
 *
 * Every element of a fill is a function of (fill, key, index) alone, so a fill can be cut anywhere and run anywhere. The
 * exceptions are `orthogonal` and `sparse`, whose elements depend on one another: they run whole.
 */
export type Fill =
  | ConstantFill
  | UniformFill
  | NormalFill
  | TruncNormalFill
  | DiagonalFill
  | OrthogonalFill
  | SparseFill;

/** Every element is `value`. */
export interface ConstantFill {
  readonly kind: 'constant';
  readonly value: number;
}

/** U[a, b): a ≤ x < b in the tensor's dtype. */
export interface UniformFill {
  readonly kind: 'uniform';
  readonly a: number;
  readonly b: number;
}

/** N(mean, std²). */
export interface NormalFill {
  readonly kind: 'normal';
  readonly mean: number;
  readonly std: number;
}

/** N(mean, std²) conditioned on [a, b]; `a` and `b` are absolute values, not multiples of std. */
export interface TruncNormalFill {
  readonly kind: 'trunc_normal';
  readonly mean: number;
  readonly std: number;
  readonly a: number;
  readonly b: number;
}

/**
 * Zero, except for `groups` diagonals of `count` elements that are `value`: element
 * `offset + g·group_stride + d·step` for g < groups, d < count. Identity and Dirac tensors are such.
 */
export interface DiagonalFill {
  readonly kind: 'diagonal';
  readonly value: number;
  readonly offset: number;
  readonly step: number;
  readonly count: number;
  readonly groups: number;
  readonly group_stride: number;
}

/**
 * A Haar-distributed matrix of orthonormal rows or columns (whichever are fewer), times `gain`. Element (r, c) is stored at
 * `offset + (r·cols + c)·stride`, everything else is zero: stride 1 and offset 0 for a plain matrix, more for the centre
 * tap of a delta-orthogonal convolution.
 */
export interface OrthogonalFill {
  readonly kind: 'orthogonal';
  readonly rows: number;
  readonly cols: number;
  readonly gain: number;
  readonly stride: number;
  readonly offset: number;
}

/** N(0, std²), with `zeros` randomly chosen elements of each column of the rows × cols matrix set to zero. */
export interface SparseFill {
  readonly kind: 'sparse';
  readonly rows: number;
  readonly cols: number;
  readonly zeros: number;
  readonly std: number;
}

/** True for the fills whose elements depend on one another, which cannot be cut into ranges. */
export function is_whole(fill: Fill): fill is OrthogonalFill | SparseFill {
  return fill.kind === 'orthogonal' || fill.kind === 'sparse';
}

/** True for the fills that draw from a generator. */
export function is_random(fill: Fill): boolean {
  return fill.kind !== 'constant' && fill.kind !== 'diagonal';
}
