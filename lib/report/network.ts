import { setImmediate } from 'node:timers/promises';
import type { Fill } from '../core/fill.js';
import { isRandom } from '../core/fill.js';
import { fillRange } from '../native/addon.js';
import { activations } from './activations.js';
import type { Stack } from './stack.js';
import { firstCorrelation, type LayerSignal, varianceOf } from './theory.js';

/** What was measured of a layer of one network. */
export interface LayerPoint extends LayerSignal {
  /** Activations and gradients themselves, of layers that were asked for. */
  readonly samples?: { readonly activations: Float64Array; readonly gradients: Float64Array };
}

interface NetworkOptions {
  readonly biasStd?: number;
  /** Layers whose values are kept. */
  readonly sampled?: ReadonlySet<number> | undefined;
  /** What all weights are multiplied by. */
  readonly factor?: number;
  /** Called in front of each layer, on the way there and on the way back. */
  readonly onLayer?: () => void;
}

/** Elements of networks whose weights are kept from the way there to the way back. */
const mostKept = 2 ** 26;

/** Streams of one network: weights take one each. */
const biasStreams = 1n << 32n;
const inputStream = 1n << 33n;

/**
 * A real network: draws its weights, sends two inputs through it and two random gradients back, and looks at what they are like in each layer.
 *
 * @param fills of the weights, a (width, inputs) matrix for each layer
 */
export async function runNetwork(
  stack: Stack,
  fills: readonly Fill[],
  seed: bigint,
  { biasStd = 0, sampled, factor = 1, onLayer }: NetworkOptions = {},
): Promise<LayerPoint[]> {
  const normals = (count: number, stream: bigint, std = 1) => {
    const out = new Float32Array(count);
    if (std > 0) fillRange(out, 'float32', { kind: 'normal', mean: 0, std }, { seed, stream });
    return Float64Array.from(out);
  };
  const layerInputs = (i: number) => (i === 0 ? stack.inputs : (stack.layers[i - 1]?.width ?? 0));
  const total = stack.layers.reduce((sum, { width }, i) => sum + width * layerInputs(i), 0);
  const kept: Float32Array[] = [];
  /** Large ones are made anew for the way back, so that memory stays that of one layer. */
  const weightsOf = (i: number) => {
    const known = kept[i];
    if (known !== undefined) return known;
    const weights = new Float32Array((stack.layers[i]?.width ?? 0) * layerInputs(i));
    const fill = fills[i] as Fill;
    fillRange(weights, 'float32', fill, isRandom(fill) ? { seed, stream: BigInt(i) } : undefined);
    if (factor !== 1) for (let k = 0; k < weights.length; k++) weights[k] = (weights[k] as number) * factor;
    if (total <= mostKept) kept[i] = weights;
    return weights;
  };
  let one = normals(stack.inputs, inputStream);
  const apart = normals(stack.inputs, inputStream + 1n);
  let other = apart.map((y, i) => firstCorrelation * (one[i] as number) + Math.sqrt(1 - firstCorrelation ** 2) * y);
  type Two = readonly [Float64Array, Float64Array];
  const forward: { readonly incoming: Two; readonly z: Two; readonly x: Two }[] = [];
  for (const [i, { width, activation }] of stack.layers.entries()) {
    await setImmediate(); // signals and timers have their turn
    onLayer?.();
    const weights = weightsOf(i);
    const bias = normals(width, biasStreams + BigInt(i), biasStd);
    const z = [times(weights, one, bias), times(weights, other, bias)] as const;
    const { f } = activations[activation];
    const incoming = [one, other] as const;
    [one, other] = [z[0].map(f), z[1].map(f)];
    forward.push({ incoming, z, x: [one, other] });
  }
  let back: Two = [normals(one.length, inputStream + 2n), normals(one.length, inputStream + 3n)];
  const points: LayerPoint[] = [];
  for (let i = forward.length - 1; i >= 0; i--) {
    await setImmediate();
    onLayer?.();
    const { incoming, z, x } = forward[i] as (typeof forward)[number];
    const { slope } = activations[stack.layers[i]?.activation ?? 'linear'];
    // In front of a function that is beyond all numbers nothing is known: relu's slope there is not 0.
    const through = (g: number, at: number) => g * (Number.isNaN(at) ? at : slope(at));
    const gradients = [
      back[0].map((g, k) => through(g, z[0][k] as number)),
      back[1].map((g, k) => through(g, z[1][k] as number)),
    ] as const;
    const squares = gradients.map((g) => meanProduct(g, g)) as [number, number];
    const [came, cameToo] = incoming;
    points.unshift({
      ...signalOf(x, z),
      gradient: (squares[0] + squares[1]) / 2,
      weightGradient: (squares[0] * meanProduct(came, came) + squares[1] * meanProduct(cameToo, cameToo)) / 2,
      ...(sampled?.has(i) && { samples: { activations: x[0], gradients: gradients[0] } }),
    });
    if (i === 0) break;
    const weights = weightsOf(i);
    back = [
      timesTransposed(weights, gradients[0], layerInputs(i)),
      timesTransposed(weights, gradients[1], layerInputs(i)),
    ];
  }
  return points;
}

export function signalOf(
  [x, y]: readonly [Float64Array, Float64Array],
  [z, w]: readonly [Float64Array, Float64Array],
): Omit<LayerSignal, 'gradient' | 'weightGradient'> {
  const mean = (sumOf(x) + sumOf(y)) / (x.length + y.length);
  const found = (meanProduct(x, x) + meanProduct(y, y)) / 2;
  // Nothing but differences of what is beyond all numbers makes NaN of sums of finite weights and inputs.
  const square = Number.isNaN(found) ? Number.POSITIVE_INFINITY : found;
  const correlation = meanProduct(z, w) / Math.sqrt(meanProduct(z, z) * meanProduct(w, w));
  return { mean, square, variance: varianceOf({ mean, square }), correlation };
}

function sumOf(x: Float64Array): number {
  let sum = 0;
  for (const each of x) sum += each;
  return sum;
}

export function meanProduct(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (y[i] as number);
  return sum / x.length;
}

/** W·x + b, four sums at a time. */
export function times(weights: Float32Array, x: Float64Array, bias: Float64Array): Float64Array {
  const columns = x.length;
  const whole = columns - (columns % 4);
  const out = new Float64Array(bias.length);
  for (let row = 0; row < out.length; row++) {
    const at = row * columns;
    let [a, b, c, d] = [bias[row] as number, 0, 0, 0];
    for (let i = 0; i < whole; i += 4) {
      a += (weights[at + i] as number) * (x[i] as number);
      b += (weights[at + i + 1] as number) * (x[i + 1] as number);
      c += (weights[at + i + 2] as number) * (x[i + 2] as number);
      d += (weights[at + i + 3] as number) * (x[i + 3] as number);
    }
    for (let i = whole; i < columns; i++) a += (weights[at + i] as number) * (x[i] as number);
    out[row] = a + b + (c + d);
  }
  return out;
}

/** Wᵀ·g. */
export function timesTransposed(weights: Float32Array, g: Float64Array, columns: number): Float64Array {
  const out = new Float64Array(columns);
  for (let row = 0; row < g.length; row++) {
    const factor = g[row] as number;
    if (factor === 0) continue;
    const at = row * columns;
    for (let i = 0; i < columns; i++) out[i] = (out[i] as number) + factor * (weights[at + i] as number);
  }
  return out;
}
