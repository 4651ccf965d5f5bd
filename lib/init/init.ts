/**
 * `torch.nn.init`, on this thread and its native helpers. Every function
 *
 * - takes a tensor, or anything shaped like one (an onnxruntime `Tensor`), fills it in place, and returns that very object;
 * - takes its parameters by position in PyTorch's order, as keywords in a last plain object, or both;
 * - takes the keyword `threads` (1 to 1024; set_num_threads' number by default) and, where it is random, `generator`
 *   (default_generator by default);
 * - throws a TypeError for wrong types, misspelt options and what is given twice, and a RangeError for wrong values, before
 *   it writes the first byte.
 *
 * They are synchronous, and hold this thread until all bytes are written.
 */

import { fillRange } from '../native/addon.js';
import { default_generator } from '../random/generator.js';
import { bind, type Call, prepare } from './binding.js';
import type { Name } from './initializers.js';
import type { InitFunction } from './signature.js';

function run({ tensor, fill, random, generator, threads }: Call): void {
  if (tensor.size === 0) return;
  const { data, dtype } = tensor;
  if (random) (generator ?? default_generator).fill(data, dtype, fill, threads);
  else fillRange(data, dtype, fill, undefined, 0, threads);
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
export const uniform_ = here('uniform');

/**
 * Fills with N(mean, std²).
 *
 *     init.normal_(w, { std: 0.02, generator: new Generator({ seed: 7 }) })
 *
 * @param tensor any shape
 * @param mean 0 by default
 * @param std the standard deviation, 1 by default; ≥ 0
 * @param generator also a keyword
 */
export const normal_ = here('normal');

/**
 * Fills with N(mean, std²) conditioned on a ≤ x ≤ b, exactly, however far in the tails the interval lies.
 *
 *     init.trunc_normal_(w, 0, 0.02, -0.04, 0.04)
 *
 * The bounds are absolute, as PyTorch's, not multiples of std. Warns as PyTorch does where the mean is more than 2 std
 * outside of them, though the distribution stays right here.
 *
 * @param tensor any shape
 * @param mean 0 by default
 * @param std the standard deviation before truncation, 1 by default; > 0 (PyTorch divides by it)
 * @param a the lower bound, -2 by default
 * @param b the upper bound, 2 by default; a ≤ b
 * @param generator also a keyword
 */
export const trunc_normal_ = here('trunc_normal');

/**
 * Fills with one value, rounded to the dtype. NaN and the infinities are data here; a finite number beyond the dtype's
 * largest is refused.
 *
 *     init.constant_(w, 0.3)
 *
 * @param tensor any shape
 * @param val the value
 */
export const constant_ = here('constant');

/**
 * Fills with ones.
 *
 * @param tensor any shape
 */
export const ones_ = here('ones');

/**
 * Fills with zeros.
 *
 * @param tensor any shape
 */
export const zeros_ = here('zeros');

/**
 * Fills a matrix with the identity: ones where row = column, zeros elsewhere. It need not be square: as many inputs as
 * possible pass a Linear layer unchanged.
 *
 * @param tensor 2 dimensions
 */
export const eye_ = here('eye');

/**
 * Fills a convolution's weight (out, in, *k) with Dirac's delta, so that as many input channels as possible pass unchanged:
 * w[g·out/groups + d, d, centre] = 1 for d < min(out / groups, in), zero elsewhere; the centre is floor(k / 2).
 *
 *     init.dirac_(w, 3)      // a grouped convolution: each group passes its channels
 *
 * @param tensor 3, 4 or 5 dimensions
 * @param groups 1 by default; divides out
 */
export const dirac_ = here('dirac');

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
export const xavier_uniform_ = here('xavier_uniform');

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
export const xavier_normal_ = here('xavier_normal');

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
export const kaiming_uniform_ = here('kaiming_uniform');

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
export const kaiming_normal_ = here('kaiming_normal');

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
export const lecun_uniform_ = here('lecun_uniform');

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
export const lecun_normal_ = here('lecun_normal');

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
export const variance_scaling_ = here('variance_scaling');

/**
 * Fills with a matrix of orthonormal rows or columns, whichever are fewer, times gain; Haar-distributed. Dimensions from the
 * second on count as one. All dtypes; float16 and bfloat16 are computed in float32.
 *
 *     init.orthogonal_(w, init.calculate_gain('relu'))
 *
 * The cost grows with rows · columns · the lesser of both, and blocks this thread: float32 2048 × 2048 takes some 60 ms on one core
 * of a fast machine, and eight times as long for twice the width.
 *
 * Saxe et al. 2013, arXiv:1312.6120; Stewart 1980, doi:10.1137/0717034.
 *
 * @param tensor 2 or more dimensions
 * @param gain a factor, 1 by default
 * @param generator also a keyword
 */
export const orthogonal_ = here('orthogonal');

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
export const sparse_ = here('sparse');

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
export const delta_orthogonal_ = here('delta_orthogonal');
