/**
 * A Fill is an initializer resolved on one shape: plain data, and all that the kernels know.
 *
 * Every element of a fill is a function of (fill, key, index) alone, so a fill can be cut anywhere and run anywhere. The
 * exceptions are `orthogonal` and `sparse`, whose elements depend on one another: they run whole.
 *
 *     resolve('xavier_uniform', [64, 64])   // { kind: 'uniform', a: -0.2165…, b: 0.2165… }
 */
export type Fill =
  | ConstantFill
  | UniformFill
  | NormalFill
  | TruncNormalFill
  | DiagonalFill
  | OrthogonalFill
  | SparseFill
  | LogOfUniformFill
  | DtBiasFill
  | LogArangeFill
  | SinusoidFill;

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

/** N(mean, std²) conditioned on [a, b]; `a` and `b` are absolute values, not multiples of std, and may be infinite. */
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

/** ln of U[a, b), 0 < a ≤ b. */
export interface LogOfUniformFill {
  readonly kind: 'log_of_uniform';
  readonly a: number;
  readonly b: number;
}

/** The softplus's inverse of exp(U[ln min, ln max)), where that is at least `floor`, else of `floor`. */
export interface DtBiasFill {
  readonly kind: 'dt_bias';
  readonly min: number;
  readonly max: number;
  readonly floor: number;
}

/** ln(start + i), where i is the element's index modulo `cols`. */
export interface LogArangeFill {
  readonly kind: 'log_arange';
  readonly start: number;
  readonly cols: number;
}

/**
 * Sines and cosines of row·base^(-2·j/denominator): in columns 2j and 2j + 1 if `interleaved` is 1; else all sines, then from
 * column ceil(cols / 2) on all cosines.
 */
export interface SinusoidFill {
  readonly kind: 'sinusoid';
  readonly cols: number;
  readonly base: number;
  readonly denominator: number;
  readonly interleaved: number;
}

/** True for the fills whose elements depend on one another, which cannot be cut into ranges. */
export function isWhole(fill: Fill): fill is OrthogonalFill | SparseFill {
  return fill.kind === 'orthogonal' || fill.kind === 'sparse';
}

const deterministic: ReadonlySet<Fill['kind']> = new Set(['constant', 'diagonal', 'log_arange', 'sinusoid'] as const);

/** True for the fills that draw from a generator. */
export function isRandom(fill: Fill): boolean {
  return !deterministic.has(fill.kind);
}

/** The number by which the native side knows a kind of fill. */
export const kindCodes: Readonly<Record<Fill['kind'], number>> = {
  constant: 0,
  uniform: 1,
  normal: 2,
  trunc_normal: 3,
  diagonal: 4,
  orthogonal: 5,
  sparse: 6,
  log_of_uniform: 7,
  dt_bias: 8,
  log_arange: 9,
  sinusoid: 10,
};

type NumbersOf<F> = F extends Fill ? readonly Exclude<keyof F, 'kind'>[] : never;

/** The numbers of each kind of fill, in the order of writeNumbers. */
export const fillNumbers: { readonly [K in Fill['kind']]: NumbersOf<Extract<Fill, { kind: K }>> } = {
  constant: ['value'],
  uniform: ['a', 'b'],
  normal: ['mean', 'std'],
  trunc_normal: ['mean', 'std', 'a', 'b'],
  diagonal: ['value', 'offset', 'step', 'count', 'groups', 'group_stride'],
  orthogonal: ['rows', 'cols', 'gain', 'stride', 'offset'],
  sparse: ['rows', 'cols', 'zeros', 'std'],
  log_of_uniform: ['a', 'b'],
  dt_bias: ['min', 'max', 'floor'],
  log_arange: ['start', 'cols'],
  sinusoid: ['cols', 'base', 'denominator', 'interleaved'],
};

/**
 * Writes a fill's numbers, at most six, to `out` from `at` on: the native side's parameters. Written out, since a loop over names takes
 * twice as long, which shows in small fills.
 */
export function writeNumbers(fill: Fill, out: Float64Array, at = 0): void {
  switch (fill.kind) {
    case 'constant':
      out[at] = fill.value;
      break;
    case 'uniform':
      out[at] = fill.a;
      out[at + 1] = fill.b;
      break;
    case 'normal':
      out[at] = fill.mean;
      out[at + 1] = fill.std;
      break;
    case 'trunc_normal':
      out[at] = fill.mean;
      out[at + 1] = fill.std;
      out[at + 2] = fill.a;
      out[at + 3] = fill.b;
      break;
    case 'diagonal':
      out[at] = fill.value;
      out[at + 1] = fill.offset;
      out[at + 2] = fill.step;
      out[at + 3] = fill.count;
      out[at + 4] = fill.groups;
      out[at + 5] = fill.group_stride;
      break;
    case 'orthogonal':
      out[at] = fill.rows;
      out[at + 1] = fill.cols;
      out[at + 2] = fill.gain;
      out[at + 3] = fill.stride;
      out[at + 4] = fill.offset;
      break;
    case 'sparse':
      out[at] = fill.rows;
      out[at + 1] = fill.cols;
      out[at + 2] = fill.zeros;
      out[at + 3] = fill.std;
      break;
    case 'log_of_uniform':
      out[at] = fill.a;
      out[at + 1] = fill.b;
      break;
    case 'dt_bias':
      out[at] = fill.min;
      out[at + 1] = fill.max;
      out[at + 2] = fill.floor;
      break;
    case 'log_arange':
      out[at] = fill.start;
      out[at + 1] = fill.cols;
      break;
    case 'sinusoid':
      out[at] = fill.cols;
      out[at + 1] = fill.base;
      out[at + 2] = fill.denominator;
      out[at + 3] = fill.interleaved;
      break;
  }
}
