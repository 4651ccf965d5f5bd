import { setImmediate } from 'node:timers/promises';
import { type Fill, isRandom } from '../core/fill.js';
import { fillRange } from '../native/addon.js';
import { activations } from './activations.js';
import { type LayerPoint, meanProduct, signalOf, times, timesTransposed } from './network.js';
import type { Stack } from './stack.js';
import { firstCorrelation, type LayerTheory, signalAt } from './theory.js';

/**
 * Blocks of a transformer with norms in front, as the first token of a sequence goes through them, which attends to itself alone:
 *
 *     x ← x + W_o·W_v·norm(x),   x ← x + W_2·f(W_1·norm(x))
 *
 * with W_1 of 4 × width outputs. Later tokens get less from attention, which averages over those before them.
 */
export interface BlockMatrices<T> {
  readonly value: T;
  readonly output: T;
  readonly up: T;
  readonly down: T;
}

/** Shapes of a block's matrices. */
export function blockShapes(width: number): BlockMatrices<readonly [number, number]> {
  return { value: [width, width], output: [width, width], up: [4 * width, width], down: [width, 4 * width] };
}

/** What W_o and W_2 are multiplied by in GPT-2: 1/√(2·blocks), so that all of them together add as much as one. */
export const residualScale = ({ layers }: Stack): number => 1 / Math.sqrt(2 * layers.length);

/**
 * What theory says of the residual stream behind each block.
 *
 * @param variances of each matrix's elements
 * @param scale what W_o and W_2 are multiplied by
 */
export function transformerTheory(stack: Stack, variances: BlockMatrices<number>, scale: number): LayerTheory[] {
  const width = stack.inputs;
  const attention = width * variances.value * width * variances.output * scale * scale;
  const hidden = width * variances.up;
  let square = 1;
  let product = firstCorrelation;
  const forward = stack.layers.map(({ activation }) => {
    const q = square;
    const factor = 1 + attention / square;
    product += attention * (product / square);
    square += attention;
    const at = signalAt(activation, hidden, product / square);
    const down = variances.down * scale * scale;
    const chi = factor * (1 + (width * down * at.slope * 4 * width * variances.up) / square);
    square += 4 * width * down * at.square;
    product += 4 * width * down * at.product;
    return { mean: 0, square, variance: square, correlation: product / square, q, chi };
  });
  let gradient = 1;
  const layers: LayerTheory[] = [];
  for (const layer of forward.toReversed()) {
    gradient *= layer.chi;
    layers.unshift({ ...layer, gradient, weightGradient: Number.NaN });
  }
  return layers;
}

/** Streams of one network: its matrices take one each. */
const inputStream = 1n << 33n;
const names = ['value', 'output', 'up', 'down'] as const;

type Two = readonly [Float64Array, Float64Array];

/** The same of a real network: its residual stream, and gradients in front of each block. */
export async function runTransformer(
  stack: Stack,
  fills: BlockMatrices<Fill>,
  seed: bigint,
  scale: number,
  onLayer?: () => void,
): Promise<LayerPoint[]> {
  const width = stack.inputs;
  const shapes = blockShapes(width);
  const normals = (stream: bigint) => {
    const out = new Float32Array(width);
    fillRange(out, 'float32', { kind: 'normal', mean: 0, std: 1 }, { seed, stream });
    return Float64Array.from(out);
  };
  /** Made anew for the way back. */
  const matrix = (block: number, name: (typeof names)[number]) => {
    const [rows, columns] = shapes[name];
    const weights = new Float32Array(rows * columns);
    const stream = BigInt(4 * block + names.indexOf(name));
    fillRange(weights, 'float32', fills[name], isRandom(fills[name]) ? { seed, stream } : undefined);
    const factor = name === 'output' || name === 'down' ? scale : 1;
    const none = new Float64Array(rows);
    return {
      of: (x: Two): Two => [scaled(times(weights, x[0], none), factor), scaled(times(weights, x[1], none), factor)],
      back: (g: Two): Two => [
        scaled(timesTransposed(weights, g[0], columns), factor),
        scaled(timesTransposed(weights, g[1], columns), factor),
      ],
    };
  };
  const apart = normals(inputStream + 1n);
  const first = normals(inputStream);
  let x: Two = [
    first,
    apart.map((y, i) => firstCorrelation * (first[i] as number) + Math.sqrt(1 - firstCorrelation ** 2) * y),
  ];
  const kept: { readonly before: Two; readonly middle: Two; readonly hidden: Two; readonly after: Two }[] = [];
  for (const [i, { activation }] of stack.layers.entries()) {
    await setImmediate(); // signals and timers have their turn
    onLayer?.();
    const before = x;
    const middle = sum(before, matrix(i, 'output').of(matrix(i, 'value').of(each(before, norm))));
    const hidden = matrix(i, 'up').of(each(middle, norm));
    const { f } = activations[activation];
    x = sum(middle, matrix(i, 'down').of(each(hidden, (z) => z.map(f))));
    kept.push({ before, middle, hidden, after: x });
  }
  let g: Two = [normals(inputStream + 2n), normals(inputStream + 3n)];
  const points: LayerPoint[] = [];
  for (let i = kept.length - 1; i >= 0; i--) {
    await setImmediate();
    onLayer?.();
    const { before, middle, hidden, after } = kept[i] as (typeof kept)[number];
    const { slope } = activations[stack.layers[i]?.activation ?? 'linear'];
    const inner = both(matrix(i, 'down').back(g), hidden, (d, z) => d.map((y, k) => y * slope(z[k] as number)));
    g = sum(g, both(matrix(i, 'up').back(inner), middle, throughNorm));
    g = sum(g, both(matrix(i, 'value').back(matrix(i, 'output').back(g)), before, throughNorm));
    const gradient = (meanProduct(g[0], g[0]) + meanProduct(g[1], g[1])) / 2;
    points.unshift({ ...signalOf(after, after), gradient, weightGradient: Number.NaN });
  }
  return points;
}

const scaled = (x: Float64Array, factor: number) => (factor === 1 ? x : x.map((each) => each * factor));
const each = (x: Two, work: (x: Float64Array) => Float64Array): Two => [work(x[0]), work(x[1])];
const both = (x: Two, y: Two, work: (x: Float64Array, y: Float64Array) => Float64Array): Two => [
  work(x[0], y[0]),
  work(x[1], y[1]),
];
const sum = (x: Two, y: Two): Two => both(x, y, (a, b) => a.map((value, i) => value + (b[i] as number)));

/** Mean 0 and variance 1: LayerNorm as it begins. */
function norm(x: Float64Array): Float64Array {
  const { mean, std } = momentsOf(x);
  return x.map((value) => (value - mean) / std);
}

/** The gradient in front of a norm, of that behind it. */
function throughNorm(g: Float64Array, x: Float64Array): Float64Array {
  const { mean, std } = momentsOf(x);
  const y = x.map((value) => (value - mean) / std);
  const [along, across] = [meanProduct(g, y), g.reduce((all, value) => all + value, 0) / g.length];
  return g.map((value, i) => (value - across - (y[i] as number) * along) / std);
}

function momentsOf(x: Float64Array): { readonly mean: number; readonly std: number } {
  const mean = x.reduce((all, value) => all + value, 0) / x.length;
  // Of equal numbers a norm makes zeros, since it adds a little to their variance.
  return { mean, std: Math.sqrt(Math.max(0, meanProduct(x, x) - mean * mean)) || 1 };
}
