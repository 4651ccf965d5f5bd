/**
 * `torch.nn.init`, on this thread and its native helpers. Every function
 *
 * - takes a tensor, or anything shaped like one (an onnxruntime `Tensor`), fills it in place, and returns that very object;
 * - takes its parameters by position in PyTorch's order, as keywords in a last plain object, or both;
 * - takes the keyword `threads` (1 to 1024; set_num_threads' number by default) and, where it is random, `generator`
 *   (default_generator by default);
 * - fills tensors of 8 bits and less too (float8_e4m3fn, float8_e5m2, float8_e8m0fnu, float4_e2m1fn, int8, uint8): values are drawn in
 *   float32 and rounded to the nearest there is, the even one of two, and to the last one at the ends;
 * - throws a TypeError for wrong types, misspelt options and what is given twice, and a RangeError for wrong values, before
 *   it writes the first byte.
 *
 * They are synchronous, and hold this thread until all bytes are written.
 *
 * @module
 */

import { noKey } from '../native/addon.js';
import { default_generator } from '../random/generator.js';
import { isNarrowTarget } from '../tensor/target.js';
import { bind, type Call, prepare } from './binding.js';
import { fillTarget } from './fill-target.js';
import type { Name } from './initializers.js';
import type { InitFunction } from './signature.js';

function run({ tensor, fill, random, generator, threads }: Call): void {
  if (tensor.size === 0) return;
  const source = generator ?? default_generator;
  if (!random) fillTarget(tensor, fill, noKey, threads);
  else if (isNarrowTarget(tensor)) fillTarget(tensor, fill, source.nextKey(fill, 'float32', tensor.size), threads);
  else source.fill(tensor.data, tensor.dtype, fill, threads);
}

function here<N extends Name>(name: N): InitFunction<N> {
  return bind(name, (binding, tensor, args) => {
    run(prepare(binding, tensor, args));
    return tensor;
  });
}

export { calculate_gain } from './gain.js';

/**
 * Fills with U[a, b): a ≤ x < b in every dtype, without the bias that rounding up to b would bring.
 *
 *     init.uniform_(w, -1, 1)
 *
 * @param tensor any shape
 * @param a the lower bound, 0 by default
 * @param b the upper bound, 1 by default; a ≤ b, and a == b fills with a
 * @param generator also a keyword
 * @throws RangeError where a > b, and where a, b or b - a are beyond the dtype's largest number
 */
export const uniform_: InitFunction<'uniform'> = here('uniform');

/**
 * Fills with N(mean, std²).
 *
 *     init.normal_(w, { std: 0.02, generator: new Generator({ seed: 7 }) })
 *
 * Values beyond the dtype's largest number are infinities, as PyTorch's are.
 *
 * @param tensor any shape
 * @param mean 0 by default
 * @param std the standard deviation, 1 by default; ≥ 0
 * @param generator also a keyword
 * @throws RangeError where mean or std are beyond the dtype's largest number
 */
export const normal_: InitFunction<'normal'> = here('normal');

/**
 * Fills with N(mean, std²) conditioned on a ≤ x ≤ b, exactly, however far in the tails the interval lies.
 *
 *     init.trunc_normal_(w, 0, 0.02, -0.04, 0.04)
 *
 * The bounds are absolute, as PyTorch's, not multiples of std, and may be infinite: `trunc_normal_(w, 0, 1, 0, Infinity)` is
 * half a normal distribution. Warns as PyTorch does where the mean is more than 2 std
 * outside of them, though the distribution stays right here; in the engine torch, in 16 bits, it does not, and the warning says so.
 *
 * @param tensor any shape
 * @param mean 0 by default
 * @param std the standard deviation before truncation, 1 by default; > 0 (PyTorch divides by it)
 * @param a the lower bound, -2 by default; -Infinity for none
 * @param b the upper bound, 2 by default, Infinity for none; a ≤ b
 * @param generator also a keyword
 * @throws RangeError for bounds that the dtype cannot hold, or between which it has no value; in the engine torch also for an
 *   infinite bound where no more than 30 % of the distribution is inside, which PyTorch refuses
 */
export const trunc_normal_: InitFunction<'trunc_normal'> = here('trunc_normal');

/**
 * Fills with one value, rounded to the dtype. NaN and the infinities are data here; a finite number beyond the dtype's
 * largest is refused.
 *
 *     init.constant_(w, 0.3)
 *
 * @param tensor any shape
 * @param val the value
 */
export const constant_: InitFunction<'constant'> = here('constant');

/**
 * Fills with ones.
 *
 * @param tensor any shape
 */
export const ones_: InitFunction<'ones'> = here('ones');

/**
 * Fills with zeros.
 *
 * @param tensor any shape; integers of two bytes and more too, such as int64 tensors of onnxruntime
 */
export const zeros_: InitFunction<'zeros'> = here('zeros');

/**
 * Fills a matrix with the identity: ones where row = column, zeros elsewhere. It need not be square: as many inputs as
 * possible pass a Linear layer unchanged.
 *
 * @param tensor 2 dimensions
 */
export const eye_: InitFunction<'eye'> = here('eye');

/**
 * Fills a convolution's weight (out, in, *k) with Dirac's delta, so that as many input channels as possible pass unchanged:
 * w[g·out/groups + d, d, centre] = 1 for d < min(out / groups, in), zero elsewhere; the centre is floor(k / 2).
 *
 *     init.dirac_(w, 3)      // a grouped convolution: each group passes its channels
 *
 * @param tensor 3, 4 or 5 dimensions
 * @param groups 1 by default; divides out
 */
export const dirac_: InitFunction<'dirac'> = here('dirac');

/**
 * Glorot's uniform initialization: U[-bound, bound) with bound = gain · sqrt(6 / (fan_in + fan_out)).
 *
 *     init.xavier_uniform_(w, init.calculate_gain('tanh'))
 *     init.xavier_uniform_(kernel, { in_axis: -2, out_axis: -1 })      // Keras, TensorFlow.js, JAX: (*k, in, out)
 *
 * Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks.
 *
 * @param tensor 2 or more dimensions: (out, in, *k), or as in_axis and out_axis say
 * @param gain a factor ≥ 0, 1 by default
 * @param generator also a keyword
 * @param options also `in_axis` (1), `out_axis` (0) and `groups` (1), keywords only: see calculateFans
 */
export const xavier_uniform_: InitFunction<'xavier_uniform'> = here('xavier_uniform');

/**
 * Glorot's normal initialization: N(0, std²) with std = gain · sqrt(2 / (fan_in + fan_out)).
 *
 * Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks.
 *
 * @param tensor 2 or more dimensions: (out, in, *k), or as in_axis and out_axis say
 * @param gain a factor ≥ 0, 1 by default
 * @param generator also a keyword
 * @param options also `in_axis` (1), `out_axis` (0) and `groups` (1), keywords only: see calculateFans
 */
export const xavier_normal_: InitFunction<'xavier_normal'> = here('xavier_normal');

/**
 * He's uniform initialization: U[-bound, bound) with bound = gain · sqrt(3 / fan).
 *
 *     init.kaiming_uniform_(w, { mode: 'fan_in', nonlinearity: 'relu' })
 *     init.kaiming_uniform_(w, Math.sqrt(5))                            // what torch.nn.Linear does
 *     init.kaiming_uniform_(depthwise, { mode: 'fan_out', nonlinearity: 'relu', groups: 32 })
 *
 * He et al. 2015, Delving deep into rectifiers, arXiv:1502.01852. Warns on a tensor without elements, as PyTorch does.
 *
 * @param tensor 2 or more dimensions: (out, in, *k), or as in_axis and out_axis say
 * @param a the negative slope of the leaky_relu that follows, 0 by default; other nonlinearities ignore it
 * @param mode 'fan_in' (default) keeps the variance forwards, 'fan_out' backwards
 * @param nonlinearity what follows, any name in `gains`; 'leaky_relu' by default
 * @param generator also a keyword
 * @param options also, keywords only: `gain`, a number ≥ 0 in place of a and nonlinearity; `in_axis` (1), `out_axis` (0) and
 *   `groups` (1), see calculateFans
 */
export const kaiming_uniform_: InitFunction<'kaiming_uniform'> = here('kaiming_uniform');

/**
 * He's normal initialization: N(0, std²) with std = gain / sqrt(fan).
 *
 *     init.kaiming_normal_(w, { mode: 'fan_out', nonlinearity: 'relu' })
 *     init.kaiming_normal_(w, { gain: gainOf(my_activation) })
 *
 * He et al. 2015, Delving deep into rectifiers, arXiv:1502.01852. Warns on a tensor without elements, as PyTorch does.
 *
 * @param tensor 2 or more dimensions: (out, in, *k), or as in_axis and out_axis say
 * @param a the negative slope of the leaky_relu that follows, 0 by default; other nonlinearities ignore it
 * @param mode 'fan_in' (default) keeps the variance forwards, 'fan_out' backwards
 * @param nonlinearity what follows, any name in `gains`; 'leaky_relu' by default
 * @param generator also a keyword
 * @param options also, keywords only: `gain`, a number ≥ 0 in place of a and nonlinearity; `in_axis` (1), `out_axis` (0) and
 *   `groups` (1), see calculateFans
 */
export const kaiming_normal_: InitFunction<'kaiming_normal'> = here('kaiming_normal');

/**
 * LeCun's uniform initialization: U[-bound, bound) with bound = sqrt(3 / fan_in), for linear and SELU layers.
 *
 * LeCun et al. 1998, Efficient BackProp; Klambauer et al. 2017, arXiv:1706.02515. PyTorch has none. Warns on a tensor
 * without elements.
 *
 * @param tensor 2 or more dimensions: (out, in, *k), or as in_axis and out_axis say
 * @param generator also a keyword
 * @param options also `in_axis` (1), `out_axis` (0) and `groups` (1), keywords only: see calculateFans
 */
export const lecun_uniform_: InitFunction<'lecun_uniform'> = here('lecun_uniform');

/**
 * LeCun's normal initialization, for linear and SELU layers: variance 1 / fan_in, truncated at two standard deviations as in
 * JAX, Flax and Keras, s = sqrt(1 / fan_in) / 0.87962566103423978 before truncation. For an untruncated one:
 * `kaiming_normal_(w, { nonlinearity: 'linear' })`.
 *
 * LeCun et al. 1998, Efficient BackProp; Klambauer et al. 2017, arXiv:1706.02515. PyTorch has none. Warns on a tensor
 * without elements.
 *
 * @param tensor 2 or more dimensions: (out, in, *k), or as in_axis and out_axis say
 * @param generator also a keyword
 * @param options also `in_axis` (1), `out_axis` (0) and `groups` (1), keywords only: see calculateFans
 */
export const lecun_normal_: InitFunction<'lecun_normal'> = here('lecun_normal');

/**
 * A distribution of mean 0 and variance scale / fan, as in JAX and Keras; Xavier, Kaiming and LeCun are cases of it.
 *
 *     init.variance_scaling_(w, 2, 'fan_in', 'truncated_normal')      // he_normal of Keras and JAX
 *
 * truncated_normal lies within two of its underlying standard deviations, s = sqrt(scale / fan) / 0.87962566103423978, so
 * that the variance is scale / fan after truncation. Warns on a tensor without elements.
 *
 * @param tensor 2 or more dimensions: (out, in, *k), or as in_axis and out_axis say
 * @param scale ≥ 0, 1 by default; 0 fills with zeros
 * @param mode 'fan_in' (default), 'fan_out', or 'fan_avg' for (fan_in + fan_out) / 2
 * @param distribution 'normal' (default), 'uniform' or 'truncated_normal'
 * @param generator also a keyword
 * @param options also `in_axis` (1), `out_axis` (0) and `groups` (1), keywords only: see calculateFans
 */
export const variance_scaling_: InitFunction<'variance_scaling'> = here('variance_scaling');

/**
 * Fills with a matrix of orthonormal rows or columns, whichever are fewer, times gain; Haar-distributed. Dimensions from the
 * second on count as one, or as `out_axis` says. All dtypes; float16 and bfloat16 are computed in float32.
 *
 *     init.orthogonal_(w, init.calculate_gain('relu'))
 *     init.orthogonal_(kernel, { out_axis: -1 })       // Keras, TensorFlow.js, JAX: (*k, in, out)
 *
 * The cost grows with rows · columns · the lesser of both, and blocks this thread: float32 2048 × 2048 takes some 60 ms on one core
 * of a fast machine, and eight times as long for twice the width.
 *
 * Saxe et al. 2013, arXiv:1312.6120; Stewart 1980, doi:10.1137/0717034.
 *
 * @param tensor 2 or more dimensions
 * @param gain a factor, 1 by default
 * @param generator also a keyword
 * @param options also `out_axis` (0), a keyword only: the outputs' axis or axes, the first or the last ones
 * @throws RangeError for output axes in the middle of the shape, which are not stored as one matrix
 */
export const orthogonal_: InitFunction<'orthogonal'> = here('orthogonal');

/**
 * Fills a matrix with N(0, std²), and then sets ceil(sparsity · rows) elements of each column, chosen at random, to zero.
 *
 *     init.sparse_(w, 0.1)
 *
 * Martens 2010, Deep learning via Hessian-free optimization.
 *
 * @param tensor 2 dimensions
 * @param sparsity the share of zeros in each column, ≥ 0; from 1 on all are zero
 * @param std the standard deviation of the others, 0.01 by default; ≥ 0
 * @param generator also a keyword; the zeros obey it too
 */
export const sparse_: InitFunction<'sparse'> = here('sparse');

/**
 * Fills a convolution's weight (out, in, *k) with zeros, but for an orthogonal matrix times gain at the kernel's centre,
 * floor(k / 2): an isometry on channels, which lets very deep plain convolutional networks train.
 *
 * Xiao et al. 2018, Dynamical isometry and a mean field theory of CNNs, arXiv:1806.05393.
 *
 * @param tensor 3, 4 or 5 dimensions, in ≤ out
 * @param gain a factor, 1 by default
 * @param generator also a keyword
 */
export const delta_orthogonal_: InitFunction<'delta_orthogonal'> = here('delta_orthogonal');

/**
 * Fills rows start … start + length − 1 (of the first dimension) with one value, and the others with zeros. The biases of an LSTM's
 * forget gates, which are its second quarter, are best begun with 1:
 *
 *     init.constant_rows_(bias, 1, hidden, hidden)
 *
 * Jozefowicz et al. 2015, An empirical exploration of recurrent network architectures.
 *
 * @param tensor 1 or more dimensions
 * @param val any number, 1 by default
 * @param start the first of the rows, 0 by default
 * @param length how many rows, 1 by default; ≥ 0, and start + length ≤ the first dimension
 */
export const constant_rows_: InitFunction<'constant_rows'> = here('constant_rows');

/**
 * Fills with ln(start + i), where i is the index along the last dimension: `A_log` of Mamba, and of Mamba-2 in one dimension. Not
 * random.
 *
 *     init.log_arange_(A_log)
 *
 * Gu et al. 2022, On the parameterization and initialization of diagonal state space models, arXiv:2206.11893.
 *
 * @param tensor 1 or more dimensions
 * @param start > 0, 1 by default
 */
export const log_arange_: InitFunction<'log_arange'> = here('log_arange');

/**
 * Fills with ln u for u of U[a, b): `A_log` of Mamba-2's own code, U[1, 16), and of gated delta networks.
 *
 *     init.log_of_uniform_(A_log, 1, 16)
 *
 * Dao and Gu 2024, Transformers are SSMs, arXiv:2405.21060. Computed in float64, and rounded to the dtype.
 *
 * @param tensor any shape
 * @param a > 0, 1 by default
 * @param b 16 by default; a ≤ b
 * @param generator also a keyword
 * @throws RangeError where a > b, and where a or b are beyond the dtype's largest number
 */
export const log_of_uniform_: InitFunction<'log_of_uniform'> = here('log_of_uniform');

/**
 * Fills with biases b for which softplus(b) = ln(1 + e^b) is log-uniform between min and max: the step sizes that Mamba begins
 * with. Steps below `floor` become `floor`.
 *
 *     init.dt_bias_(dt_bias, 0.001, 0.1)
 *
 * Gu and Dao 2023, Mamba, arXiv:2312.00752. Computed in float64, and rounded to the dtype.
 *
 * @param tensor any shape
 * @param min 0.001 by default; 1e-300 to 1e4, as max
 * @param max 0.1 by default
 * @param floor 1e-4 by default; 0 to 1e4
 * @param generator also a keyword
 */
export const dt_bias_: InitFunction<'dt_bias'> = here('dt_bias');

/**
 * Fills a table (positions, width) with sines and cosines of position · base^(−2j / width). Not random.
 *
 *     init.sinusoidal_(positions)                       // sines, then cosines: Marian, Pegasus
 *     init.sinusoidal_(positions, { order: 'pairs' })   // as in the paper
 *     init.sinusoidal_(positions, { endpoint: true })   // Whisper: the exponent goes all the way to −1
 *
 * Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762. The error is below 10^−15·(1 + position), before rounding.
 *
 * @param tensor 2 dimensions, of which the first is at most 2^20 + 1; with `endpoint` an even width ≥ 4
 * @param base 10000 by default; 1 to 1e300
 * @param order 'halves' by default, or 'pairs'
 * @param endpoint false by default
 */
export const sinusoidal_: InitFunction<'sinusoidal'> = here('sinusoidal');
