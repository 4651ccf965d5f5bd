import type { Dtype, TensorData } from '../../../core/dtype.js';
import { twoSidedZ } from '../../../core/normal.js';
import { addToTally, tallyBins as bins, newTally, tallyAt } from '../../../native/addon.js';
import type { Distribution } from './expected.js';
import { boundary, roundedTo } from './rounded.js';
import { countZ, type Grid, gridOf, meanZ } from './tails.js';

/** What a tensor's elements are like. */
export interface Statistics {
  /** Finite elements; of a sparse tensor those that are not zero. */
  readonly count: number;
  readonly mean: number;
  /** With the divisor count - 1. */
  readonly std: number;
  readonly min: number;
  readonly max: number;
  readonly nan: number;
  readonly infinite: number;
  readonly zeros: number;
  /** Of codes: how many of the grid's values occur. */
  readonly occupied?: number;
}

/** Counts of a tensor's elements in bins. */
export interface Histogram {
  /** The upper end of the first bin, which has no lower one; the last has no upper one. */
  readonly low: number;
  /** Of the bins between. */
  readonly width: number;
  readonly counts: readonly number[];
  /** The probability of each bin, by the expected distribution. */
  readonly expected: readonly number[];
}

/** A test of one property, in standard deviations. */
export interface Score {
  readonly test:
    | 'mean'
    | 'std'
    | 'shape'
    | 'extremes'
    | 'finite'
    | 'bounds'
    | 'norm'
    | 'values'
    | 'occupancy'
    | 'zeros';
  readonly z: number;
}

/** Fewer expected elements on either side of an edge say nothing of the shape. */
export const leastExpected = 25;

/**
 * Reads elements as they come, and keeps what is needed to compare them with a distribution: moments, extremes, and counts in
 * bins of equal width.
 */
export class Accumulator {
  readonly #expected: Distribution;
  readonly #low: number;
  readonly #scale: number;
  readonly #tally = newTally();

  constructor(expected: Distribution) {
    this.#expected = expected;
    const [low, high] = [expected.quantile(1e-3), expected.quantile(0.999)];
    // Odd fractions keep numbers of few digits off the edges.
    this.#low = low + 1.234567e-3 * (high - low);
    this.#scale = Math.min(Number.MAX_VALUE, (bins - 2) / (0.99765432 * (high - low)));
  }

  /** Elements as they lie in memory, 16-bit ones in a Uint16Array. */
  add(values: TensorData, dtype: Dtype): void {
    const { mean, zeros } = this.#expected;
    addToTally(values, dtype, Float64Array.of(mean, this.#low, this.#scale, zeros > 0 ? 1 : 0), this.#tally);
  }

  #of(what: keyof typeof tallyAt): number {
    return this.#tally[tallyAt[what]] as number;
  }

  /** Counts in 64 bins: from `low` on of equal width, but for the outermost, which take all beyond. */
  histogram(): Histogram {
    const counts = Array.from(this.#tally.subarray(tallyAt.bins));
    const expected = counts.map((_, k) => this.#below(k + 1) - this.#below(k));
    return { low: this.#low, width: 1 / this.#scale, counts, expected };
  }

  /** The probability of the bins before one. */
  #below(bin: number): number {
    return bin <= 0 ? 0 : bin >= bins ? 1 : this.#expected.cdf(this.#low + (bin - 1) / this.#scale);
  }

  statistics(): Statistics {
    const n = this.#of('count');
    const shift = this.#of('sum') / n;
    const variance = n > 1 ? Math.max(0, (this.#of('square') - n * shift * shift) / (n - 1)) : 0;
    return {
      count: n,
      mean: n > 0 ? this.#expected.mean + shift : Number.NaN,
      std: n > 0 ? Math.sqrt(variance) : Number.NaN,
      min: this.#of('min'),
      max: this.#of('max'),
      nan: this.#of('nan'),
      infinite: this.#of('infinite'),
      zeros: this.#of('zeros'),
    };
  }

  /**
   * How far the elements are from the distribution: one score a test, and how many comparisons went into them.
   *
   * @param whole whether all of the tensor was added, so that the number of a sparse one's zeros is known
   */
  scores(dtype: Dtype, whole = true): { readonly scores: readonly Score[]; readonly comparisons: number } {
    const { mean, std, fourth, low, high, slack, ends, cdf, quantile, rounded } = this.#expected;
    const unbounded = low === Number.NEGATIVE_INFINITY && high === Number.POSITIVE_INFINITY;
    const isNormal = unbounded && rounded === undefined;
    let made = rounded;
    const grid = (): Grid => {
      made ??= gridOf(cdf, quantile);
      return made;
    };
    const scores: Score[] = [];
    if (this.#of('nan') + this.#of('infinite') > 0) scores.push({ test: 'finite', z: Number.POSITIVE_INFINITY });
    const zeros = this.#zeros(dtype, whole);
    if (zeros !== undefined) scores.push({ test: 'zeros', z: zeros });
    const n = this.#of('count');
    if (n === 0) return { scores, comparisons: 1 };
    if (this.#of('min') < low || this.#of('max') > high) scores.push({ test: 'bounds', z: Number.POSITIVE_INFINITY });
    const beyond = (difference: number, allowed: number): number =>
      Math.sign(difference) * Math.max(0, Math.abs(difference) - allowed);
    const width = ends > 0 ? Math.min(high - low, 40 * std) : 0; // what rounds to one end may lie at the other
    const shift = beyond(this.#of('sum') / n, 2 * slack * std + ends * width);
    const meanScore = shift === 0 ? 0 : (Math.abs(shift) / std) * Math.sqrt(n);
    scores.push({ test: 'mean', z: isNormal ? meanScore : meanZ(meanScore, mean + shift, n, grid, (x) => x) });
    if (isNormal) {
      scores.push({ test: 'std', z: Math.abs(chiSquareZ(this.#of('square') / std ** 2, n)) });
    } else if (n >= 20) {
      const spread = Math.sqrt((fourth - std ** 4) / n);
      const more = beyond(this.#of('square') / n - std ** 2, 8 * slack * std ** 2 + ends * width * width);
      const score = more === 0 ? 0 : Math.abs(more) / spread;
      scores.push({ test: 'std', z: meanZ(score, std ** 2 + more, n, grid, (x) => (x - mean) ** 2) });
    }
    if (unbounded) scores.push({ test: 'extremes', z: this.#extremes(dtype) });
    const shape = this.#shape(dtype);
    if (shape.edges > 0) scores.push({ test: 'shape', z: shape.z });
    return { scores, comparisons: (zeros === undefined ? 4 : 5) + shape.edges };
  }

  /** How far out the farthest element is: by the probability that any of n lies there, or beyond. */
  #extremes(dtype: Dtype): number {
    const { cdf, quantile } = this.#expected;
    const center = quantile(0.5);
    const [, below] = roundedTo(this.#of('min'), dtype);
    const [above] = roundedTo(this.#of('max'), dtype);
    const p = 2 * cdf(center - Math.max(0, center - below, above - center));
    // -expm1(n·log1p(-p)) is 1 - (1 - p)ⁿ.
    return twoSidedZ(-Math.expm1(this.#of('count') * Math.log1p(-p)));
  }

  /**
   * Zeros: of a sparse tensor as many as are set to zero, and the few that are drawn; of others those few at most. Undefined for a part of
   * a sparse tensor that is too small to tell.
   */
  #zeros(dtype: Dtype, whole: boolean): number | undefined {
    const { cdf, zeros, slack } = this.#expected;
    const found = this.#of('zeros');
    const nonzero = this.#of('count') - (zeros > 0 ? 0 : found);
    const all = nonzero + this.#of('nan') + this.#of('infinite') + found;
    if (all === 0) return undefined;
    // What rounds to zero, and what Box and Muller's method makes zero of 24 bits.
    const least = boundary(Number.MIN_VALUE, dtype);
    const drawn = (1 - zeros) * Math.max(2 ** -22, cdf(least) - cdf(-least) + 2 * slack);
    if (whole || zeros === 0) {
      const more = found - Math.round(zeros * all);
      const most = all * drawn + 10 * Math.sqrt(all * drawn) + 10;
      return more >= 0 && more <= most ? 0 : Number.POSITIVE_INFINITY;
    }
    const share = zeros + drawn;
    if (all * Math.min(share, 1 - share) < leastExpected) return undefined;
    return countZ(Math.abs(found - all * share) / Math.sqrt(all * share * (1 - share)), found / all, all, share);
  }

  /** The farthest of the counts below each edge from the binomial distribution's mean: Kolmogorov and Smirnov's idea, on a grid. */
  #shape(dtype: Dtype): { z: number; edges: number } {
    const { cdf, slack, ends } = this.#expected;
    let below = 0;
    let z = 0;
    let edges = 0;
    for (let k = 1; k < bins; k++) {
      below += this.#tally[tallyAt.bins + k - 1] as number;
      const p = cdf(boundary(this.#low + (k - 1) / this.#scale, dtype));
      const n = this.#of('count');
      if (n * Math.min(p, 1 - p) < leastExpected) continue;
      edges += 1;
      const difference = below / n - p;
      const away = Math.max(0, Math.abs(difference) - 2 * slack - ends);
      z = Math.max(z, countZ(away * Math.sqrt(n / (p * (1 - p))), p + Math.sign(difference) * away, n, p));
    }
    return { z, edges };
  }
}

/** A χ² with n degrees of freedom as a normal variable (Wilson & Hilferty 1931). */
export function chiSquareZ(x: number, n: number): number {
  const spread = 2 / (9 * n);
  return (Math.cbrt(x / n) - 1 + spread) / Math.sqrt(spread);
}
