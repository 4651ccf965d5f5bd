import { normalCdf } from '../core/normal.js';
import type { Nonlinearity } from '../init/gain.js';

/** A function between layers, and its slope. */
export interface Activation {
  readonly f: (x: number) => number;
  /** Its derivative; at a kink the one from the left. */
  readonly slope: (x: number) => number;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const linear: Activation = { f: (x) => x, slope: () => 1 };
// Klambauer et al. 2017.
const [alpha, lambda] = [1.6732632423543772, 1.0507009873554805];

/** The functions of the table of gains: leaky_relu at its default slope, gelu the exact one, as there. */
export const activations: Readonly<Record<Nonlinearity, Activation>> = {
  linear,
  conv1d: linear,
  conv2d: linear,
  conv3d: linear,
  conv_transpose1d: linear,
  conv_transpose2d: linear,
  conv_transpose3d: linear,
  sigmoid: { f: sigmoid, slope: (x) => sigmoid(x) * sigmoid(-x) },
  tanh: { f: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  relu: { f: (x) => Math.max(0, x), slope: (x) => (x > 0 ? 1 : 0) },
  leaky_relu: { f: (x) => (x > 0 ? x : 0.01 * x), slope: (x) => (x > 0 ? 1 : 0.01) },
  selu: {
    f: (x) => lambda * (x > 0 ? x : alpha * Math.expm1(x)),
    slope: (x) => lambda * (x > 0 ? 1 : alpha * Math.exp(x)),
  },
  gelu: {
    f: (x) => x * normalCdf(x),
    slope: (x) => normalCdf(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  },
  silu: { f: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) * (1 + x * sigmoid(-x)) },
  elu: { f: (x) => (x > 0 ? x : Math.expm1(x)), slope: (x) => (x > 0 ? 1 : Math.exp(x)) },
  mish: {
    f: (x) => x * Math.tanh(softplus(x)),
    slope: (x) => {
      const t = Math.tanh(softplus(x));
      return t + x * (1 - t * t) * sigmoid(x);
    },
  },
  softplus: { f: softplus, slope: sigmoid },
};
