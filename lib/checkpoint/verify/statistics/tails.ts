import { twoSidedZ } from '../../../core/normal.js';

/** Below it a sum of many numbers is near enough to normal. */
const leastDoubtful = 4;
const gridSteps = 4000;

/** A distribution by the probabilities of small steps. */
export interface Grid {
  /** The middle of each step. */
  readonly values: Float64Array;
  readonly weights: Float64Array;
}

/** @param quantile and cdf of what is continuous but for its ends, which are finite or have next to nothing beyond quantile(1e-18) */
export function gridOf(cdf: (x: number) => number, quantile: (p: number) => number): Grid {
  const end = (p: number, inner: number): number => (Number.isFinite(quantile(p)) ? quantile(p) : quantile(inner));
  const [from, to] = [end(0, 1e-18), end(1, 1 - 2 ** -53)];
  const values = Float64Array.from({ length: gridSteps }, (_, i) => from + ((i + 0.5) / gridSteps) * (to - from));
  let before = 0;
  const weights = values.map((_, i) => {
    const next = i === gridSteps - 1 ? 1 : cdf(from + ((i + 1) / gridSteps) * (to - from));
    const weight = Math.max(0, next - before);
    before = next;
    return weight;
  });
  return { values, weights };
}

/**
 * How far the mean of n independent numbers is from what is expected, as a normal variable. Sums of skewed numbers have longer tails than the
 * normal distribution: 24 of an exponential's squares exceed "six standard errors" three times in ten thousand. So what looks far out
 * is looked at once more by the saddlepoint approximation (Barndorff-Nielsen's r*), whose relative error is small however far out it is.
 *
 * @param z in standard errors
 * @param of what of each value's the mean is taken
 */
export function meanZ(z: number, mean: number, n: number, grid: () => Grid, of: (x: number) => number): number {
  if (!(z > leastDoubtful)) return z;
  const all = grid();
  // What cannot occur may lie very far out, where a tilt of all that can vanishes beside it.
  const weights = all.weights.filter((weight) => weight > 0);
  const away = all.values.filter((_, i) => (all.weights[i] as number) > 0).map((x) => of(x) - mean);
  const least = away.reduce((a, b) => Math.min(a, b));
  const most = away.reduce((a, b) => Math.max(a, b));
  const nearly = 1e-9 * (most - least);
  if (Math.min(Math.abs(least), Math.abs(most)) <= nearly) {
    // All of them are the outermost value, where the grid has it.
    const share = away.reduce((sum, x, i) => sum + (Math.abs(x) <= nearly ? (weights[i] as number) : 0), 0);
    return Math.min(z, twoSidedZ(2 * share ** n));
  }
  if (!(least < 0 && most > 0)) return z;
  const logs = weights.map(Math.log);
  // K(t) = ln E e^(t·away) has its minimum where K' is zero.
  const tilted = (t: number) => {
    const top = away.reduce((max, x, i) => Math.max(max, t * x + (logs[i] as number)), Number.NEGATIVE_INFINITY);
    let [sum, first, second] = [0, 0, 0];
    for (let i = 0; i < away.length; i++) {
      const x = away[i] as number;
      const weight = Math.exp(t * x + (logs[i] as number) - top);
      sum += weight;
      first += weight * x;
      second += weight * x * x;
    }
    const slope = first / sum;
    return { k: Math.log(sum) + top, slope, curvature: second / sum - slope * slope };
  };
  const sign = tilted(0).slope < 0 ? 1 : -1;
  let [from, to] = [0, 1 / (most - least)];
  while (sign * tilted(sign * to).slope < 0 && to < 1e6 / (most - least)) to *= 2;
  for (let i = 0; i < 50; i++) {
    const middle = (from + to) / 2;
    if (sign * tilted(sign * middle).slope < 0) from = middle;
    else to = middle;
  }
  const { k, curvature } = tilted(sign * to);
  return Math.min(z, signedRoot(Math.sqrt(Math.max(0, -2 * n * k)), to * Math.sqrt(n * curvature)));
}

/** How far a count of n, each with probability p, is from n·p, as a normal variable, likewise. */
export function countZ(z: number, share: number, n: number, p: number): number {
  if (!(z > leastDoubtful) || !(share > 0 && share < 1)) return z;
  const rate = share * Math.log(share / p) + (1 - share) * Math.log((1 - share) / (1 - p));
  const t = Math.abs(Math.log((share * (1 - p)) / (p * (1 - share))));
  return Math.min(z, signedRoot(Math.sqrt(2 * n * rate), t * Math.sqrt(n * share * (1 - share))));
}

/** r*, of the root of twice the exponent and of the tilt in standard errors. */
function signedRoot(r: number, u: number): number {
  return r > 0 && u > 0 ? Math.max(0, r + Math.log(u / r) / r) : 0;
}
