import { type Dtype, dtypes, roundUp } from '../../../core/dtype.js';
import type { Fill } from '../../../core/fill.js';
import { normalCdf, normalQuantile } from './math.js';

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
  /** Elements are zero besides, as many as a sparse fill sets to zero: not part of the distribution. */
  readonly zeros: boolean;
}

/**
 * The distribution of a fill's elements; undefined for constants, diagonals and orthogonal matrices, which are no samples of one.
 */
export function distributionOf(fill: Fill, dtype: Dtype): Distribution | undefined {
  const slack = dtypes[dtype].bytes === 2 ? 2 ** -dtypes[dtype].precision : 0;
  switch (fill.kind) {
    case 'uniform':
      return uniform(fill.a, fill.b, dtype, slack);
    case 'normal':
      return fill.std === 0 ? undefined : normal(fill.mean, fill.std, false);
    case 'sparse':
      return fill.std === 0 ? undefined : normal(0, fill.std, true);
    case 'trunc_normal':
      return truncated(fill.mean, fill.std, fill.a, fill.b, dtype, slack);
    default:
      return undefined;
  }
}

/** A number in few digits, for formulas. */
function short(x: number): string {
  return String(Number(x.toPrecision(4)));
}

function normal(mean: number, std: number, zeros: boolean): Distribution {
  return {
    text: `N(${short(mean)}, ${short(std)}²)${zeros ? ' and zeros' : ''}`,
    mean,
    std,
    fourth: 3 * std ** 4,
    cdf: (x) => normalCdf((x - mean) / std),
    quantile: (p) => mean + std * normalQuantile(p),
    low: Number.NEGATIVE_INFINITY,
    high: Number.POSITIVE_INFINITY,
    slack: 0,
    zeros,
  };
}

function uniform(a: number, b: number, dtype: Dtype, slack: number): Distribution {
  const width = b - a;
  return {
    text: `U[${short(a)}, ${short(b)})`,
    mean: (a + b) / 2,
    std: width / Math.sqrt(12),
    fourth: width ** 4 / 80,
    cdf: (x) => Math.min(1, Math.max(0, (x - a) / width)),
    quantile: (p) => a + p * width,
    // Rounded outwards: others round to nearest, b included.
    low: -roundUp(-a, dtype),
    high: roundUp(b, dtype),
    slack,
    zeros: false,
  };
}

function truncated(mean: number, std: number, a: number, b: number, dtype: Dtype, slack: number): Distribution {
  const [alpha, beta] = [(a - mean) / std, (b - mean) / std];
  // In the upper tail by symmetry: differences of Φ near 1 would lose their digits.
  const sign = alpha + beta > 0 ? -1 : 1;
  const [low, high] = sign < 0 ? [-beta, -alpha] : [alpha, beta];
  const [first, last] = [normalCdf(low), normalCdf(high)];
  const mass = last - first;
  const below = (z: number): number => (normalCdf(Math.min(high, Math.max(low, z))) - first) / mass;
  const quantile = (p: number): number => Math.min(high, Math.max(low, normalQuantile(first + p * mass)));
  const [m, variance, fourth] = moments(below, low, high);
  return {
    text: `N(${short(mean)}, ${short(std)}²) in [${short(a)}, ${short(b)}]`,
    mean: mean + sign * std * m,
    std: std * Math.sqrt(variance),
    fourth: std ** 4 * fourth,
    cdf: (x) => (sign > 0 ? below((x - mean) / std) : 1 - below((mean - x) / std)),
    quantile: (p) => mean + sign * std * quantile(sign > 0 ? p : 1 - p),
    low: -roundUp(-a, dtype),
    high: roundUp(b, dtype),
    slack,
    zeros: false,
  };
}

/** Mean, variance and fourth central moment of a distribution on an interval, from its probabilities over small steps. */
function moments(cdf: (z: number) => number, low: number, high: number): [number, number, number] {
  // Beyond 12 the weight is below anything that counts.
  const [from, to] = [Math.max(low, -12), Math.min(high, 12)];
  const [begin, end] = from < to ? [from, to] : [low, high];
  const steps = 4000;
  const points: [number, number][] = [];
  let before = cdf(begin);
  for (let i = 0; i < steps; i++) {
    const z = begin + ((i + 1) * (end - begin)) / steps;
    const next = cdf(z);
    points.push([begin + ((i + 0.5) * (end - begin)) / steps, next - before]);
    before = next;
  }
  const total = points.reduce((sum, [, p]) => sum + p, 0);
  const mean = points.reduce((sum, [z, p]) => sum + z * p, 0) / total;
  const central = (power: number) => points.reduce((sum, [z, p]) => sum + (z - mean) ** power * p, 0) / total;
  return [mean, central(2), central(4)];
}
