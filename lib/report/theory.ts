import { distributionOf } from '../checkpoint/verify/statistics/expected.js';
import type { Fill } from '../core/fill.js';
import { normalMean, normalProductMean } from '../core/quadrature.js';
import type { Nonlinearity } from '../init/gain.js';
import { activations } from './activations.js';
import type { Stack } from './stack.js';

/** What one layer does to signals. */
export interface LayerSignal {
  /** The mean of the activations over units, of their squares, and their variance: E[x²] - E[x]². */
  readonly mean: number;
  readonly square: number;
  readonly variance: number;
  /** The variance of the gradients in front of the function, where those behind the last layer are N(0, 1). */
  readonly gradient: number;
  /** The mean square of the gradients of the layer's weights, for one input. Not a number for blocks of transformers, which have several matrices. */
  readonly weightGradient: number;
  /** The correlation of what two inputs, whose own is `firstCorrelation`, come to in front of the function. */
  readonly correlation: number;
}

/** What theory says of a layer beyond that. */
export interface LayerTheory extends LayerSignal {
  /** The mean square in front of the function: q. */
  readonly q: number;
  /** By how much the layer multiplies the variance of gradients on their way back: 1 at the edge of chaos. */
  readonly chi: number;
}

/** The correlation of the two inputs whose signals are followed. */
export const firstCorrelation = 0.5;

/**
 * The variance of a matrix's elements where theory has something to say: random ones around zero, independent of one another or orthogonal. Undefined for
 * constants, diagonals and distributions around another mean.
 */
export function weightVariance(fill: Fill): number | undefined {
  if (fill.kind === 'orthogonal') return fill.gain ** 2 / Math.max(fill.rows, fill.cols);
  const distribution = distributionOf(fill, 'float32');
  if (distribution === undefined || Math.abs(distribution.mean) > 1e-9 * distribution.std) return undefined;
  const share = fill.kind === 'sparse' ? 1 - fill.zeros / fill.rows : 1;
  return share * distribution.std ** 2;
}

/**
 * Mean-field theory: what signals are like, layer by layer, in a wide random network (Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017,
 * arXiv:1611.01232). In front of each function they are normal, with a variance q that follows from the layer before:
 *
 *     q_l = n·σ²·E[f(√q_(l-1)·z)²] + σ_b²,   z ~ N(0, 1)
 *
 * and gradients are multiplied by n'·σ'²·E[f'(√q·z)²] on their way back. Inputs are N(0, 1).
 *
 * @param variances σ² of each layer's weights
 * @param biasStd σ_b
 * @param begins the correlation of the two inputs; NaN where only one is followed, which takes a tenth of the time
 */
export function meanField(
  stack: Stack,
  variances: readonly number[],
  biasStd = 0,
  begins = firstCorrelation,
): LayerTheory[] {
  const bias = biasStd * biasStd;
  let square = 1; // E[x²] of what comes in, and E[x·y] of two of them
  let product = begins;
  let inputs = stack.inputs;
  const forward = stack.layers.map(({ width, activation }, i) => {
    const scale = inputs * (variances[i] as number);
    const q = scale * square + bias;
    const correlation = q > 0 && q < Number.POSITIVE_INFINITY ? Math.min(1, (scale * product + bias) / q) : Number.NaN;
    const at = signalAt(activation, q, correlation);
    const incoming = square;
    ({ square, product } = at);
    inputs = width;
    return { q, correlation, chi: scale * at.slope, incoming, ...at };
  });
  let gradient = 1; // of what is behind a layer's function
  const layers: LayerTheory[] = [];
  for (let i = forward.length - 1; i >= 0; i--) {
    const { slope, incoming, product: _, ...layer } = forward[i] as (typeof forward)[number];
    const before = gradient * slope;
    layers.unshift({
      ...layer,
      gradient: before,
      weightGradient: before * incoming,
      variance: varianceOf(layer),
    });
    gradient = before * (stack.layers[i]?.width ?? 0) * (variances[i] as number);
  }
  return layers;
}

/** E[x²] - E[x]²; of squares beyond all numbers it is beyond them too. */
export const varianceOf = ({ mean, square }: Pick<LayerSignal, 'mean' | 'square'>): number =>
  square === Number.POSITIVE_INFINITY ? square : Math.max(0, square - mean * mean);

interface Moments {
  readonly mean: number;
  readonly square: number;
  readonly product: number;
  /** E[f'²]. */
  readonly slope: number;
}

/** The function's moments where signals in front of it are N(0, q), two of them correlated. */
export function signalAt(name: Nonlinearity, q: number, correlation: number): Moments {
  const { f, slope } = activations[name];
  // Beyond the largest number slopes are what they are there.
  const std = Math.sqrt(Math.min(q, Number.MAX_VALUE));
  const square = normalMean((z) => f(std * z) ** 2);
  return {
    mean: square === Number.POSITIVE_INFINITY ? Number.NaN : normalMean((z) => f(std * z)),
    square,
    product: Number.isNaN(correlation) ? Number.NaN : normalProductMean((z) => f(std * z), correlation),
    slope: normalMean((z) => slope(std * z) ** 2),
  };
}

/**
 * The edge of chaos: pairs (σ_w, σ_b) at which χ is 1, so that gradients neither vanish nor explode. σ_w is the standard deviation of weights times
 * √fan_in.
 */
export function edgeOfChaos(name: Nonlinearity, most = 3): { readonly weight: number; readonly bias: number }[] {
  const { f, slope } = activations[name];
  const line: { weight: number; bias: number }[] = [];
  for (let step = 0; step <= 60; step++) {
    const q = 10 ** (-4 + step / 10); // up to 100
    const std = Math.sqrt(q);
    const weight = 1 / normalMean((z) => slope(std * z) ** 2);
    const bias = q - weight * normalMean((z) => f(std * z) ** 2);
    if (!(bias >= -1e-9) || Math.sqrt(weight) > most || bias > most * most) continue;
    line.push({ weight: Math.sqrt(weight), bias: Math.sqrt(Math.max(0, bias)) });
  }
  return line;
}
