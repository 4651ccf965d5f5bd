import { type Dtype, roundUp } from '../../../core/dtype.js';
import type { Distribution } from './expected.js';
import { normalCdf, twoSidedZ } from './math.js';

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
}

/** A test of one property, in standard deviations. */
export interface Score {
  readonly test: 'mean' | 'std' | 'shape' | 'extremes' | 'finite' | 'bounds' | 'norm' | 'values';
  readonly z: number;
}

/** Bins between the outermost of them, which take all beyond. */
const bins = 64;

/** Elements looked at together. */
const block = 2 ** 14;

/** Fewer expected elements on either side of an edge say nothing of the shape. */
const leastExpected = 25;

/**
 * Reads elements as they come, and keeps what is needed to compare them with a distribution: moments, extremes, and counts in
 * bins of equal width.
 */
export class Accumulator {
  readonly #expected: Distribution;
  readonly #low: number;
  readonly #scale: number;
  readonly #counts = new Float64Array(bins);
  #count = 0;
  #sum = 0; // of x - expected mean, and its square
  #sum2 = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #nan = 0;
  #infinite = 0;

  constructor(expected: Distribution) {
    this.#expected = expected;
    const [low, high] = [expected.quantile(1e-3), expected.quantile(0.999)];
    // Odd fractions keep numbers of few digits off the edges.
    this.#low = low + 1.234567e-3 * (high - low);
    this.#scale = (bins - 2) / (0.99765432 * (high - low));
  }

  add(values: Float32Array | Float64Array): void {
    for (let begin = 0; begin < values.length; begin += block) {
      const part = values.subarray(begin, begin + block);
      if (!this.#expected.zeros && this.#addPairs(part)) continue;
      for (const x of part) this.#addOne(x);
    }
  }

  /** Adds elements two at a time, which is twice as quick. Does nothing and returns false if one of them is not finite. */
  #addPairs(values: Float32Array | Float64Array): boolean {
    const { mean } = this.#expected;
    const [low, scale] = [this.#low, this.#scale];
    const even = values.length - (values.length % 2);
    let sum = 0;
    let sum2 = 0;
    let otherSum = 0;
    let otherSum2 = 0;
    let min = this.#min;
    let max = this.#max;
    const counts = new Uint32Array(2 * bins);
    for (let i = 0; i < even; i += 2) {
      const x = values[i] as number;
      const y = values[i + 1] as number;
      sum += x - mean;
      otherSum += y - mean;
      sum2 += (x - mean) * (x - mean);
      otherSum2 += (y - mean) * (y - mean);
      if (x < min) min = x;
      if (x > max) max = x;
      if (y < min) min = y;
      if (y > max) max = y;
      // As integers at once, which is quickest; what is so far out that it wraps fails other tests.
      const k = ((x - low) * scale + 1) | 0;
      const l = ((y - low) * scale + 1) | 0;
      const bin = k < 0 ? 0 : k >= bins ? bins - 1 : k;
      const other = bins + (l < 0 ? 0 : l >= bins ? bins - 1 : l);
      counts[bin] = (counts[bin] as number) + 1;
      counts[other] = (counts[other] as number) + 1;
    }
    if (!Number.isFinite(sum2 + otherSum2)) return false;
    this.#sum += sum + otherSum;
    this.#sum2 += sum2 + otherSum2;
    this.#min = min;
    this.#max = max;
    this.#count += even;
    for (const [i, n] of counts.entries()) this.#counts[i % bins] = (this.#counts[i % bins] as number) + n;
    if (even < values.length) this.#addOne(values[even] as number);
    return true;
  }

  #addOne(x: number): void {
    if (Number.isNaN(x)) {
      this.#nan += 1;
    } else if (!Number.isFinite(x)) {
      this.#infinite += 1;
    } else if (x !== 0 || !this.#expected.zeros) {
      const d = x - this.#expected.mean;
      this.#sum += d;
      this.#sum2 += d * d;
      this.#min = Math.min(this.#min, x);
      this.#max = Math.max(this.#max, x);
      this.#count += 1;
      const k = Math.floor((x - this.#low) * this.#scale + 1);
      const bin = Math.min(bins - 1, Math.max(0, k));
      this.#counts[bin] = (this.#counts[bin] as number) + 1;
    }
  }

  statistics(): Statistics {
    const n = this.#count;
    const shift = this.#sum / n;
    const variance = n > 1 ? Math.max(0, (this.#sum2 - n * shift * shift) / (n - 1)) : 0;
    return {
      count: n,
      mean: n > 0 ? this.#expected.mean + shift : Number.NaN,
      std: n > 0 ? Math.sqrt(variance) : Number.NaN,
      min: this.#min,
      max: this.#max,
      nan: this.#nan,
      infinite: this.#infinite,
    };
  }

  /** How far the elements are from the distribution: one score a test, and how many comparisons went into them. */
  scores(dtype: Dtype): { readonly scores: readonly Score[]; readonly comparisons: number } {
    const { mean, std, fourth, low, high, slack } = this.#expected;
    const scores: Score[] = [];
    if (this.#nan + this.#infinite > 0) scores.push({ test: 'finite', z: Number.POSITIVE_INFINITY });
    const n = this.#count;
    if (n === 0) return { scores, comparisons: 1 };
    if (this.#min < low || this.#max > high) scores.push({ test: 'bounds', z: Number.POSITIVE_INFINITY });
    const beyond = (difference: number, allowed: number): number => Math.max(0, Math.abs(difference) - allowed);
    scores.push({ test: 'mean', z: (beyond(this.#sum / n, 2 * slack * std) / std) * Math.sqrt(n) });
    if (high === Number.POSITIVE_INFINITY) {
      scores.push({ test: 'std', z: Math.abs(chiSquareZ(this.#sum2 / std ** 2, n)) });
      const farthest = Math.max(mean - this.#min, this.#max - mean) / std;
      // -expm1(n·log1p(-p)): the probability that any of n elements lies as far out.
      const p = 2 * normalCdf(-farthest);
      scores.push({ test: 'extremes', z: twoSidedZ(-Math.expm1(n * Math.log1p(-p))) });
    } else if (n >= 20) {
      const spread = Math.sqrt((fourth - std ** 4) / n);
      scores.push({ test: 'std', z: beyond(this.#sum2 / n - std ** 2, 8 * slack * std ** 2) / spread });
    }
    const shape = this.#shape(dtype);
    if (shape.edges > 0) scores.push({ test: 'shape', z: shape.z });
    return { scores, comparisons: 4 + shape.edges };
  }

  /** The farthest of the counts below each edge from the binomial distribution's mean: Kolmogorov and Smirnov's idea, on a grid. */
  #shape(dtype: Dtype): { z: number; edges: number } {
    const { cdf, slack } = this.#expected;
    let below = 0;
    let z = 0;
    let edges = 0;
    for (let k = 1; k < bins; k++) {
      below += this.#counts[k - 1] as number;
      const p = cdf(boundary(this.#low + (k - 1) / this.#scale, dtype));
      const n = this.#count;
      if (n * Math.min(p, 1 - p) < leastExpected) continue;
      edges += 1;
      const away = Math.max(0, Math.abs(below / n - p) - 2 * slack);
      z = Math.max(z, away * Math.sqrt(n / (p * (1 - p))));
    }
    return { z, edges };
  }
}

/** The number from which on real numbers round to values ≥ x of a dtype: half way between its values around x. */
function boundary(x: number, dtype: Dtype): number {
  const above = roundUp(x, dtype);
  const below = -roundUp(-x, dtype);
  return Number.isFinite(above) && Number.isFinite(below) ? (above + below) / 2 : x;
}

/** A χ² with n degrees of freedom as a normal variable (Wilson & Hilferty 1931). */
function chiSquareZ(x: number, n: number): number {
  const spread = 2 / (9 * n);
  return (Math.cbrt(x / n) - 1 + spread) / Math.sqrt(spread);
}
