import { type Dtype, dtypes, roundUp } from '../../../core/dtype.js';
import type { Fill } from '../../../core/fill.js';
import { millsRatio, normalCdf, normalQuantile } from '../../../core/normal.js';
import { rounded, roundedTo } from './rounded.js';
import type { Grid } from './tails.js';

/** The distribution that a random fill's elements have, each by itself. */
export interface Distribution {
  /** In formulas: 'N(0, 0.02²)'. */
  readonly text: string;
  readonly mean: number;
  readonly std: number;
  /** E(x - mean)⁴. */
  readonly fourth: number;
  /** Probability of less than x. */
  readonly cdf: (x: number) => number;
  /** x with probability p below it. */
  readonly quantile: (p: number) => number;
  /** What no element exceeds, in the dtype; infinite for the normal distribution. */
  readonly low: number;
  readonly high: number;
  /**
   * By how much a probability may be off where another library's numbers in 16 bits are coarser than the dtype: PyTorch draws
   * uniforms in bfloat16 from 8 bits, and rounds some to the other bound.
   */
  readonly slack: number;
  /** The probability of what lies so near a bound that libraries round it each in its way, or draw it again. */
  readonly ends: number;
  /** The share of elements that a sparse fill sets to zero besides: not part of the distribution. */
  readonly zeros: number;
  /** The dtype's values with their probabilities, where they are few beside the distribution's width: then mean, std and fourth are theirs. */
  readonly rounded: Grid | undefined;
}

type Real = Omit<Distribution, 'rounded'>;

/**
 * The distribution of a fill's elements; undefined for constants, diagonals, tables and orthogonal matrices, which are no samples of
 * one.
 */
export function distributionOf(fill: Fill, dtype: Dtype): Distribution | undefined {
  const real = realDistributionOf(fill, dtype);
  if (real === undefined) return undefined;
  const { mean, std, low, high } = real;
  const within = [Math.max(low, mean - 10 * std), Math.min(high, mean + 10 * std)] as const;
  return { ...real, rounded: undefined, ...rounded(real, real.cdf, within, dtype) };
}

/** Before rounding, but for the bounds. */
function realDistributionOf(fill: Fill, dtype: Dtype): Real | undefined {
  const slack = dtypes[dtype].bytes === 2 ? 2 ** -dtypes[dtype].precision : 0;
  switch (fill.kind) {
    case 'uniform':
      return fill.a === fill.b ? undefined : uniform(fill.a, fill.b, dtype, slack);
    case 'normal':
      return fill.std === 0 ? undefined : normal(fill.mean, fill.std);
    case 'sparse':
      return fill.std === 0 ? undefined : normal(0, fill.std, fill.zeros / fill.rows);
    case 'trunc_normal':
      return truncated(fill.mean, fill.std, fill.a, fill.b, dtype, slack);
    case 'log_of_uniform': {
      const { a, b } = fill;
      if (a === b) return undefined;
      return monotone(`ln of U[${short(a)}, ${short(b)})`, dtype, slack, {
        cdf: (x) => (Math.exp(x) - a) / (b - a),
        quantile: (p) => Math.log(a + p * (b - a)),
      });
    }
    case 'dt_bias': {
      const { floor } = fill;
      const [min, max] = [Math.min(fill.min, fill.max), Math.max(fill.min, fill.max)];
      if (min === max || floor >= max) return undefined; // all are one value
      const width = Math.log(max / min);
      const inverse = (dt: number): number => dt + Math.log(-Math.expm1(-dt));
      const least = floor > min ? inverse(floor) : Number.NEGATIVE_INFINITY; // what is less becomes this
      return monotone(
        `softplus⁻¹ of exp(U[ln ${short(min)}, ln ${short(max)}))${floor > min ? `, at least ${short(floor)}` : ''}`,
        dtype,
        slack,
        {
          cdf: (x) =>
            x <= least ? 0 : (Math.log(Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0)) - Math.log(min)) / width,
          quantile: (p) => inverse(Math.max(floor, min * Math.exp(p * width))),
        },
      );
    }
    default:
      return undefined;
  }
}

/** A monotone function of a uniform number, by its quantiles. */
function monotone(
  text: string,
  dtype: Dtype,
  slack: number,
  { cdf, quantile }: Pick<Distribution, 'cdf' | 'quantile'>,
): Real {
  const steps = 20_000;
  const samples = Array.from({ length: steps }, (_, i) => quantile((i + 0.5) / steps));
  const mean = samples.reduce((sum, x) => sum + x, 0) / steps;
  const central = (power: number) => samples.reduce((sum, x) => sum + (x - mean) ** power, 0) / steps;
  const bounded = (x: number): number => Math.min(1, Math.max(0, cdf(x)));
  // One step more: the C library's logarithm, as PyTorch takes it, may be off by as much.
  const [a, b] = [quantile(0) - Math.abs(quantile(0)) * 2 ** -22, quantile(1) + Math.abs(quantile(1)) * 2 ** -22];
  const std = Math.sqrt(central(2));
  return {
    text,
    mean,
    std,
    fourth: central(4),
    cdf: bounded,
    quantile,
    ...boundsOf(bounded, a, b, dtype),
    slack,
    zeros: 0,
  };
}

/** Bounds rounded outwards: others round to nearest, b included; and some round the bounds themselves before they draw. */
function boundsOf(cdf: (x: number) => number, a: number, b: number, dtype: Dtype) {
  const [low, high] = [-roundUp(-a, dtype), roundUp(b, dtype)];
  const below = low === a ? 0 : cdf(roundedTo(roundUp(a, dtype), dtype)[1]);
  const above = 1 - cdf(roundedTo(-roundUp(-b, dtype), dtype)[0]);
  return { low, high, ends: below + above };
}

/** A number in few digits, for formulas. */
function short(x: number): string {
  return String(Number(x.toPrecision(4)));
}

function normal(mean: number, std: number, zeros = 0): Real {
  return {
    text: `N(${short(mean)}, ${short(std)}²)${zeros > 0 ? ' and zeros' : ''}`,
    mean,
    std,
    fourth: 3 * std ** 4,
    cdf: (x) => normalCdf((x - mean) / std),
    quantile: (p) => mean + std * normalQuantile(p),
    low: Number.NEGATIVE_INFINITY,
    high: Number.POSITIVE_INFINITY,
    ends: 0,
    slack: 0,
    zeros,
  };
}

function uniform(a: number, b: number, dtype: Dtype, slack: number): Real {
  const width = b - a;
  const cdf = (x: number): number => Math.min(1, Math.max(0, (x - a) / width));
  return {
    text: `U[${short(a)}, ${short(b)})`,
    mean: (a + b) / 2,
    std: width / Math.sqrt(12),
    fourth: width ** 4 / 80,
    cdf,
    quantile: (p) => a + p * width,
    ...boundsOf(cdf, a, b, dtype),
    slack,
    zeros: 0,
  };
}

function truncated(mean: number, std: number, a: number, b: number, dtype: Dtype, slack: number): Real {
  const [alpha, beta] = [(a - mean) / std, (b - mean) / std];
  // In distances from the bound nearer to the mean, upwards by symmetry: nothing cancels, however far out it is.
  const sign = alpha + beta < 0 ? -1 : 1;
  const [low, near] = sign < 0 ? [-beta, b] : [alpha, a];
  const tail = Number.isFinite(near) ? fromBound(low, (b - a) / std) : undefined;
  if (tail === undefined) return normal(mean, std);
  const [m, variance, fourth] = moments(tail);
  const below = (x: number): number => tail.below((sign * (x - near)) / std);
  const cdf = (x: number): number => (sign > 0 ? below(x) : 1 - below(x));
  return {
    text: `N(${short(mean)}, ${short(std)}²) in [${short(a)}, ${short(b)}]`,
    mean: near + sign * std * m,
    std: std * Math.sqrt(variance),
    fourth: std ** 4 * fourth,
    cdf,
    quantile: (p) => near + sign * std * tail.quantile(sign > 0 ? p : 1 - p),
    ...boundsOf(cdf, a, b, dtype),
    slack,
    zeros: 0,
  };
}

/** The distribution of z - low for a standard normal z in [low, low + width]. */
interface FromBound {
  readonly below: (t: number) => number;
  readonly quantile: (p: number) => number;
  /** Beyond it there is less than counts. */
  readonly end: number;
}

function fromBound(low: number, width: number): FromBound {
  // P(z > low + t) / P(z > low); from 5 on by Mills' ratio, since both would underflow.
  const beyond = (t: number): number => {
    if (t === Number.POSITIVE_INFINITY) return 0;
    if (low < 5) return normalCdf(-low - t) / normalCdf(-low);
    return (Math.exp(-t * (low + t / 2)) * millsRatio(low + t)) / millsRatio(low);
  };
  const mass = 1 - beyond(width);
  // Of a short piece the density is as good as e^(-low·t).
  const flat = width * Math.max(Math.abs(low), 1) < 1e-6;
  const below = (t: number): number => {
    const within = Math.min(width, Math.max(0, t));
    return flat ? within / width : (1 - beyond(within)) / mass;
  };
  const end = Math.min(width, 40 / Math.max(low, 1) + Math.max(0, -low));
  const quantile = (p: number): number => {
    let [from, to] = [0, end];
    for (let i = 0; i < 80; i++) {
      const middle = (from + to) / 2;
      if (below(middle) < p) from = middle;
      else to = middle;
    }
    return (from + to) / 2;
  };
  return { below, quantile, end };
}

/** Mean, variance and fourth central moment, from the probabilities over small steps. */
function moments({ below, end }: FromBound): [number, number, number] {
  const steps = 4000;
  const points: [number, number][] = [];
  let before = 0;
  for (let i = 0; i < steps; i++) {
    const next = below(((i + 1) * end) / steps);
    points.push([((i + 0.5) * end) / steps, next - before]);
    before = next;
  }
  const total = points.reduce((sum, [, p]) => sum + p, 0);
  const mean = points.reduce((sum, [z, p]) => sum + z * p, 0) / total;
  const central = (power: number) => points.reduce((sum, [z, p]) => sum + (z - mean) ** power * p, 0) / total;
  return [mean, central(2), central(4)];
}
