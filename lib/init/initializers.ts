import { rangeError } from '../core/check.js';
import { roundUp } from '../core/dtype.js';
import type { OptionsOf } from '../core/parameter.js';
import { type Definition, define, factor, kaiming, layout, mean, outAxis, positiveFactor, std } from './definition.js';
import {
  checkOrder,
  checkRank,
  convolution,
  emptyInterval,
  fits,
  flattened,
  kaimingStd,
  matrix,
  noOpWarning,
  normal,
  nothing,
  orthogonal,
  uniform,
  varianceScaled,
  xavierStd,
} from './site.js';
import { stateSpace } from './state-space.js';

/** The kernel's sines are exact up to this angle. */
const mostPositions = 2 ** 20;

/**
 * The table of initializers: `init.*_`, the pool, the recipes, the command line and the documentation come from it.
 * The names are those of `init.*_` without the underscore.
 */
export const initializers = {
  uniform: define({
    summary: 'The uniform distribution.',
    formula: 'U[a, b)',
    parameters: [
      { name: 'a', kind: 'number', default: 0, positional: true, doc: 'the lower bound, included' },
      { name: 'b', kind: 'number', default: 1, positional: true, doc: 'the upper bound, excluded; a ≤ b' },
    ],
    random: true,
    resolve(site, { a, b }) {
      checkOrder(site, a, b);
      return uniform(site, fits(site, 'a', a), fits(site, 'b', b));
    },
  }),
  normal: define({
    summary: 'The normal distribution.',
    formula: 'N(mean, std²)',
    parameters: [mean, std],
    random: true,
    resolve: (site, { mean, std }) => normal(site, fits(site, 'mean', mean), std),
  }),
  trunc_normal: define({
    summary: 'The normal distribution conditioned on [a, b], exact however far in the tails the interval lies.',
    formula: 'N(mean, std²) given a ≤ x ≤ b',
    parameters: [
      mean,
      std,
      {
        name: 'a',
        kind: 'number',
        finite: false,
        default: -2,
        positional: true,
        doc: 'the lower bound, not a multiple of std',
      },
      {
        name: 'b',
        kind: 'number',
        finite: false,
        default: 2,
        positional: true,
        doc: 'the upper bound, not a multiple of std',
      },
    ],
    random: true,
    resolve(site, { mean, std, a, b }) {
      if (std === 0) throw rangeError(site.fn, 'std', 'a finite number > 0', std);
      checkOrder(site, a, b);
      fits(site, 'mean', mean);
      fits(site, 'std', std);
      fits(site, 'a', a);
      fits(site, 'b', b);
      if (a === Number.POSITIVE_INFINITY) throw rangeError(site.fn, 'a', 'a finite number or -Infinity', a);
      if (b === Number.NEGATIVE_INFINITY) throw rangeError(site.fn, 'b', 'a finite number or Infinity', b);
      if (a === b) return { kind: 'constant', value: a };
      if (!(roundUp(a, site.dtype) <= b)) throw emptyInterval(site, a, `[${a}, ${b}]`);
      return { kind: 'trunc_normal', mean, std, a, b };
    },
    warning: (_, { mean, std, a, b }) =>
      mean < a - 2 * std || mean > b + 2 * std
        ? 'mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution stays exact, far out in one tail.'
        : undefined,
  }),
  constant: define({
    summary: 'One value everywhere; NaN and infinities are filled as they are.',
    formula: 'val',
    parameters: [{ name: 'val', kind: 'number', finite: false, required: true, positional: true, doc: 'the value' }],
    random: false,
    resolve: (site, { val }) => ({ kind: 'constant', value: fits(site, 'val', val) }),
  }),
  ones: define({
    summary: 'One everywhere.',
    formula: '1',
    parameters: [],
    random: false,
    resolve: () => ({ kind: 'constant', value: 1 }),
  }),
  zeros: define({
    summary: 'Zero everywhere.',
    formula: '0',
    parameters: [],
    random: false,
    integers: true,
    resolve: () => ({ kind: 'constant', value: 0 }),
  }),
  eye: define({
    summary: 'The identity matrix, on a matrix of any shape: as many inputs as possible pass unchanged.',
    formula: 'w[i, j] = 1 if i = j, else 0',
    parameters: [],
    random: false,
    resolve(site) {
      const [rows, cols] = matrix(site);
      const count = Math.min(rows, cols);
      return { kind: 'diagonal', value: 1, offset: 0, step: cols + 1, count, groups: 1, group_stride: 0 };
    },
  }),
  dirac: define({
    summary:
      "Dirac's delta for convolutions (out, in, *k): as many channels as possible pass unchanged, in each group.",
    formula: 'w[g·out/groups + d, d, centre] = 1, centre = floor(k / 2); else 0',
    parameters: [
      {
        name: 'groups',
        kind: 'integer',
        default: 1,
        min: 1,
        positional: true,
        doc: 'groups of the convolution; divides out',
      },
    ],
    random: false,
    resolve(site, { groups }) {
      const { outputs, inputs, taps, centre } = convolution(site);
      if (outputs % groups !== 0) {
        const why = `dim 0 must be divisible by groups, in a tensor of ${outputs} outputs`;
        throw rangeError(site.fn, 'groups', `a divisor of ${outputs}`, groups, why);
      }
      if (site.size === 0) return nothing;
      const rows = outputs / groups;
      return {
        kind: 'diagonal',
        value: 1,
        offset: centre,
        step: inputs * taps + taps,
        count: Math.min(rows, inputs),
        groups,
        group_stride: rows * inputs * taps,
      };
    },
  }),
  xavier_uniform: define({
    summary: "Glorot's uniform initialization, for layers followed by something nearly linear.",
    formula: 'U[-bound, bound), bound = gain · sqrt(6 / (fan_in + fan_out))',
    paper: 'Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, AISTATS',
    parameters: [positiveFactor, ...layout],
    random: true,
    resolve(site, values) {
      const bound = Math.sqrt(3) * xavierStd(site, values);
      return uniform(site, -bound, bound, 'gain');
    },
  }),
  xavier_normal: define({
    summary: "Glorot's normal initialization, for layers followed by something nearly linear.",
    formula: 'N(0, std²), std = gain · sqrt(2 / (fan_in + fan_out))',
    paper: 'Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, AISTATS',
    parameters: [positiveFactor, ...layout],
    random: true,
    resolve: (site, values) => normal(site, 0, xavierStd(site, values), 'gain'),
  }),
  kaiming_uniform: define({
    summary: "He's uniform initialization, for layers followed by a rectifier.",
    formula: 'U[-bound, bound), bound = gain · sqrt(3 / fan_mode)',
    paper: 'He et al. 2015, Delving deep into rectifiers, arXiv:1502.01852',
    parameters: kaiming,
    random: true,
    resolve(site, values) {
      if (site.size === 0) return nothing;
      const bound = Math.sqrt(3) * kaimingStd(site, values);
      return uniform(site, -bound, bound, 'gain');
    },
    warning: noOpWarning,
  }),
  kaiming_normal: define({
    summary: "He's normal initialization, for layers followed by a rectifier.",
    formula: 'N(0, std²), std = gain / sqrt(fan_mode)',
    paper: 'He et al. 2015, Delving deep into rectifiers, arXiv:1502.01852',
    parameters: kaiming,
    random: true,
    resolve: (site, values) => (site.size === 0 ? nothing : normal(site, 0, kaimingStd(site, values), 'gain')),
    warning: noOpWarning,
  }),
  lecun_uniform: define({
    summary: "LeCun's uniform initialization: unit variance through linear and SELU layers.",
    formula: 'U[-bound, bound), bound = sqrt(3 / fan_in)',
    paper: 'LeCun et al. 1998, Efficient BackProp; Klambauer et al. 2017, arXiv:1706.02515',
    parameters: layout,
    random: true,
    resolve: (site, values) => varianceScaled(site, 1, 'fan_in', 'uniform', values),
    warning: noOpWarning,
  }),
  lecun_normal: define({
    summary: "LeCun's normal initialization, truncated at two standard deviations as in JAX, Flax and Keras.",
    formula: 'N(0, s²) given |x| ≤ 2s, s = sqrt(1 / fan_in) / 0.87962566103423978: the variance is 1 / fan_in',
    paper: 'LeCun et al. 1998, Efficient BackProp; Klambauer et al. 2017, arXiv:1706.02515',
    parameters: layout,
    random: true,
    resolve: (site, values) => varianceScaled(site, 1, 'fan_in', 'truncated_normal', values),
    warning: noOpWarning,
  }),
  variance_scaling: define({
    summary: 'A distribution of variance scale / fan, of which Xavier, Kaiming and LeCun are cases.',
    formula:
      'mean 0, variance scale / fan_mode; truncated_normal at ±2s with s = sqrt(scale / fan) / 0.87962566103423978',
    paper: 'jax.nn.initializers.variance_scaling, keras.initializers.VarianceScaling',
    parameters: [
      { name: 'scale', kind: 'number', default: 1, min: 0, positional: true, doc: 'variance times fan' },
      {
        name: 'mode',
        kind: 'word',
        words: ['fan_in', 'fan_out', 'fan_avg'],
        default: 'fan_in',
        positional: true,
        torchSays: 'Mode % not supported',
        doc: 'which fan; fan_avg is the mean of both',
      },
      {
        name: 'distribution',
        kind: 'word',
        words: ['normal', 'uniform', 'truncated_normal'],
        default: 'normal',
        positional: true,
        doc: 'the distribution',
      },
      ...layout,
    ],
    random: true,
    resolve: (site, values) => varianceScaled(site, values.scale, values.mode, values.distribution, values),
    warning: noOpWarning,
  }),
  orthogonal: define({
    summary:
      'A Haar-distributed matrix of orthonormal rows or columns, whichever are fewer, on (out, everything else), or (everything else, out).',
    formula: 'W Wᵀ = gain² · I or Wᵀ W = gain² · I',
    paper: 'Saxe et al. 2013, arXiv:1312.6120; Stewart 1980, doi:10.1137/0717034',
    parameters: [factor, outAxis],
    random: true,
    resolve: (site, { gain, out_axis }) => orthogonal(site, ...flattened(site, out_axis), gain),
  }),
  sparse: define({
    summary: 'A normal distribution of which a part of each column, chosen at random, is zero.',
    formula: 'N(0, std²), with ceil(sparsity · rows) zeros in each column',
    paper: 'Martens 2010, Deep learning via Hessian-free optimization, ICML',
    parameters: [
      {
        name: 'sparsity',
        kind: 'number',
        min: 0,
        required: true,
        positional: true,
        doc: 'the share of zeros; all from 1 on',
      },
      { ...std, default: 0.01 },
    ],
    random: true,
    resolve(site, { sparsity, std }) {
      const [rows, cols] = matrix(site);
      const zeros = Math.min(rows, Math.ceil(sparsity * rows));
      return { kind: 'sparse', rows, cols, zeros, std: fits(site, 'std', std) };
    },
  }),
  delta_orthogonal: define({
    summary:
      'For convolutions (out, in, *k): an orthogonal matrix at the centre of the kernel, zero elsewhere. in ≤ out.',
    formula: 'w[:, :, centre] = gain · Q with orthonormal columns, centre = floor(k / 2); else 0',
    paper: 'Xiao et al. 2018, Dynamical isometry and a mean field theory of CNNs, arXiv:1806.05393',
    parameters: [factor],
    random: true,
    resolve(site, { gain }) {
      const { outputs, inputs, taps, centre } = convolution(site);
      if (inputs > outputs && site.size > 0)
        throw rangeError(site.fn, 'shape', 'at most as many inputs as outputs', site.shape);
      return orthogonal(site, outputs, inputs, gain, taps, centre);
    },
  }),
  constant_rows: define({
    summary:
      'One value in a stretch of rows (of the first dimension), zero elsewhere: the biases of an LSTM’s forget gates.',
    formula: 'w[i, …] = val if start ≤ i < start + length, else 0',
    paper: 'Jozefowicz et al. 2015, An empirical exploration of recurrent network architectures, ICML',
    parameters: [
      { name: 'val', kind: 'number', finite: false, default: 1, positional: true, doc: 'the value' },
      { name: 'start', kind: 'integer', min: 0, default: 0, positional: true, doc: 'the first of the rows' },
      { name: 'length', kind: 'integer', min: 0, default: 1, positional: true, doc: 'how many rows' },
    ],
    random: false,
    resolve(site, { val, start, length }) {
      checkRank(site, 1, Number.POSITIVE_INFINITY, '1 or more dimensions', 'there are no rows');
      if (site.size === 0) return nothing;
      const rows = site.shape[0] ?? 0;
      const what = `at most ${rows} rows in all`;
      if (start > rows) throw rangeError(site.fn, 'start', what, start);
      if (length > rows - start) throw rangeError(site.fn, 'length', what, length, `from row ${start} on`);
      const cols = site.size / rows;
      const count = length * cols;
      const value = fits(site, 'val', val);
      return { kind: 'diagonal', value, offset: start * cols, step: 1, count, groups: 1, group_stride: 0 };
    },
  }),
  ...stateSpace,
  sinusoidal: define({
    summary: 'The table of positions of the first transformers, (positions, width): sines and cosines, not random.',
    formula: 'sin and cos of p·base^(−2j/d), d = width, or width − 2 with endpoint',
    paper: 'Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762',
    parameters: [
      {
        name: 'base',
        kind: 'number',
        min: 1,
        max: 1e300,
        default: 10000,
        positional: true,
        doc: 'the longest wave / 2π',
      },
      {
        name: 'order',
        kind: 'word',
        words: ['halves', 'pairs'],
        default: 'halves',
        positional: false,
        doc: 'all sines, then all cosines; or a sine and its cosine in turn',
      },
      {
        name: 'endpoint',
        kind: 'boolean',
        default: false,
        positional: false,
        doc: 'whether the last frequency is 1/base itself, as in tensor2tensor and Whisper',
      },
    ],
    random: false,
    resolve(site, { base, order, endpoint }) {
      const [rows, cols] = matrix(site);
      if (rows > mostPositions + 1) throw rangeError(site.fn, 'shape', `at most ${mostPositions + 1} rows`, site.shape);
      if (site.size === 0) return nothing;
      if (endpoint && (cols < 4 || cols % 2 === 1)) {
        throw rangeError(site.fn, 'shape', 'an even number of columns ≥ 4, with endpoint,', site.shape);
      }
      const interleaved = order === 'pairs' ? 1 : 0;
      return { kind: 'sinusoid', cols, base, denominator: endpoint ? cols - 2 : cols, interleaved };
    },
  }),
} as const;

/** The name of an initializer: that of `init.*_` without the underscore. */
export type Name = keyof typeof initializers;

/** The parameters of an initializer, as a type. */
export type ParametersOf<N extends Name> = (typeof initializers)[N]['parameters'];

/** The options of an initializer, generator and threads aside. */
export type Options<N extends Name> = OptionsOf<ParametersOf<N>>;

/**
 * An initializer as plain data: `{ init: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' }`, or the bare name where
 * all parameters have defaults.
 */
export type Initializer =
  | { readonly [N in Name]: { readonly init: N } & Options<N> }[Name]
  | { readonly [N in Name]: Record<never, never> extends Options<N> ? N : never }[Name];

/** The names in the table. */
export const names: readonly Name[] = Object.keys(initializers) as Name[];

/** A row of the table, its parameters' types forgotten. */
export function definitionOf(name: Name): Definition {
  return initializers[name];
}
