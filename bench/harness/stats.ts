/** What a list of measurements comes to. */
export interface Stats {
  readonly n: number;
  readonly min: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly max: number;
}

/** The value below which a share of sorted values lies, interpolated. */
function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[below + 1] ?? low;
  return low + (high - low) * (position - below);
}

/** Median and quartiles: unlike mean and deviation, one interrupted round does not move them. */
export function statsOf(values: readonly number[]): Stats {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, q1, median, q3, max] = [0, 0.25, 0.5, 0.75, 1].map((share) => quantile(sorted, share));
  return { n: sorted.length, min, q1, median, q3, max } as Stats;
}

/** The middle of a list; NaN of an empty one. */
export function medianOf(values: readonly number[]): number {
  return statsOf(values).median;
}

/** The spread of a measurement, relative: the distance of the quartiles over the median. */
export function spreadOf({ q1, median, q3 }: Stats): number {
  return median === 0 ? 0 : (q3 - q1) / median;
}
