import { type Dtype, dtypes, roundUp } from '../../../core/dtype.js';
import type { Fill } from '../../../core/fill.js';
import { millsRatio, normalCdf, normalQuantile } from '../../../core/normal.js';

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
  /** The share of elements that a sparse fill sets to zero besides: not part of the distribution. */
  readonly zeros: number;
}

/**
 * The distribution of a fill's elements; undefined for constants, diagonals, tables and orthogonal matrices, which are no samples of
 * one.
 */
export function distributionOf(fill: Fill, dtype: Dtype): Distribution | undefined {
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
): Distribution {
  const steps = 20_000;
  const samples = Array.from({ length: steps }, (_, i) => quantile((i + 0.5) / steps));
  const mean = samples.reduce((sum, x) => sum + x, 0) / steps;
  const central = (power: number) => samples.reduce((sum, x) => sum + (x - mean) ** power, 0) / steps;
  return {
    text,
    mean,
    std: Math.sqrt(central(2)),
    fourth: central(4),
    cdf: (x) => Math.min(1, Math.max(0, cdf(x))),
    quantile,
    // Rounded outwards, and one step more: the C library's logarithm, as PyTorch takes it, may be off by as much.
    low: -roundUp(-quantile(0) + Math.abs(quantile(0)) * 2 ** -22, dtype),
    high: roundUp(quantile(1) + Math.abs(quantile(1)) * 2 ** -22, dtype),
    slack,
    zeros: 0,
  };
}

/** A number in few digits, for formulas. */
function short(x: number): string {
  return String(Number(x.toPrecision(4)));
}

function normal(mean: number, std: number, zeros = 0): Distribution {
  return {
    text: `N(${short(mean)}, ${short(std)}²)${zeros > 0 ? ' and zeros' : ''}`,
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
    zeros: 0,
  };
}

function truncated(mean: number, std: number, a: number, b: number, dtype: Dtype, slack: number): Distribution {
  const [alpha, beta] = [(a - mean) / std, (b - mean) / std];
  // In distances from the bound nearer to the mean, upwards by symmetry: nothing cancels, however far out it is.
  const sign = alpha + beta < 0 ? -1 : 1;
  const [low, near] = sign < 0 ? [-beta, b] : [alpha, a];
  const tail = Number.isFinite(near) ? fromBound(low, (b - a) / std) : undefined;
  if (tail === undefined) return normal(mean, std);
  const [m, variance, fourth] = moments(tail);
  const below = (x: number): number => tail.below((sign * (x - near)) / std);
  return {
    text: `N(${short(mean)}, ${short(std)}²) in [${short(a)}, ${short(b)}]`,
    mean: near + sign * std * m,
    std: std * Math.sqrt(variance),
    fourth: std ** 4 * fourth,
    cdf: (x) => (sign > 0 ? below(x) : 1 - below(x)),
    quantile: (p) => near + sign * std * tail.quantile(sign > 0 ? p : 1 - p),
    low: -roundUp(-a, dtype),
    high: roundUp(b, dtype),
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
