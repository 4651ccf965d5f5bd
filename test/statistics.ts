/** Tests of a distribution, with limits from the standard error at n. Each returns the statistic in standard units. */

export interface Moments {
  readonly mean: number;
  readonly variance: number;
  readonly skew: number;
  readonly kurtosis: number;
}

/** Departures of the first four moments of standardized samples from N(0, 1)'s, in standard errors. */
export function normalMoments(z: ArrayLike<number>): Moments {
  const n = z.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += z[i] as number;
  mean /= n;
  let m2 = 0;
  let m3 = 0;
  let m4 = 0;
  for (let i = 0; i < n; i++) {
    const d = (z[i] as number) - mean;
    const d2 = d * d;
    m2 += d2;
    m3 += d2 * d;
    m4 += d2 * d2;
  }
  m2 /= n;
  m3 /= n;
  m4 /= n;
  return {
    mean: Math.sqrt(n) * mean,
    variance: Math.sqrt(n / 2) * (m2 - 1),
    skew: Math.sqrt(n / 6) * (m3 / m2 ** 1.5),
    kurtosis: Math.sqrt(n / 24) * (m4 / m2 ** 2 - 3),
  };
}

/** Kolmogorov and Smirnov's λ: beyond 2.69 with probability 1e-6 if the samples follow `cdf`. */
export function ks(samples: ArrayLike<number>, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(samples).sort();
  const n = sorted.length;
  let d = 0;
  for (let i = 0; i < n; i++) {
    const p = cdf(sorted[i] as number);
    d = Math.max(d, p - i / n, (i + 1) / n - p);
  }
  return (Math.sqrt(n) + 0.12 + 0.11 / Math.sqrt(n)) * d;
}

/** Departure of a count from a binomial's mean, in standard deviations. */
export function binomialZ(count: number, n: number, p: number): number {
  return (count - n * p) / Math.sqrt(n * p * (1 - p));
}

/** Φ(x), absolute error 1e-14: the series of erf in the middle, a continued fraction in the tails. */
export function normalCdf(x: number): number {
  if (Math.abs(x) < 4) {
    let term = x;
    let sum = x;
    for (let i = 3; Math.abs(term) > 1e-17 * Math.abs(sum); i += 2) {
      term *= (x * x) / i;
      sum += term;
    }
    return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  }
  const tail = normalTail(Math.abs(x));
  return x > 0 ? 1 - tail : tail;
}

/** 1 − Φ(x) for x ≥ 2, relative error 1e-12, by Laplace's continued fraction. */
export function normalTail(x: number): number {
  let fraction = x;
  for (let k = 200; k > 0; k--) fraction = x + k / fraction;
  return Math.exp((-x * x) / 2) / (fraction * Math.sqrt(2 * Math.PI));
}

/** λ of a correlation between two samples, in standard errors. */
export function correlationZ(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const n = Math.min(x.length, y.length);
  let sxy = 0;
  let sxx = 0;
  let syy = 0;
  let mx = 0;
  let my = 0;
  for (let i = 0; i < n; i++) {
    mx += x[i] as number;
    my += y[i] as number;
  }
  mx /= n;
  my /= n;
  for (let i = 0; i < n; i++) {
    const a = (x[i] as number) - mx;
    const b = (y[i] as number) - my;
    sxy += a * b;
    sxx += a * a;
    syy += b * b;
  }
  return Math.sqrt(n) * (sxy / Math.sqrt(sxx * syy));
}
