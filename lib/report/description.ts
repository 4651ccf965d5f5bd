import { distributionOf } from '../checkpoint/verify/statistics/expected.js';
import { Accumulator, type Histogram, type Statistics } from '../checkpoint/verify/statistics/measure.js';
import type { Dtype, TensorData } from '../core/dtype.js';
import { addToTally, newTally, tallyAt } from '../native/addon.js';

/** Of numbers with larger or smaller exponents, which float64 alone has, squares and their sums leave double's range. */
const mostExponent = 400;

/**
 * A tensor's elements as they are, where nothing is expected of them. The bins are around the mean of the first piece that has finite elements,
 * as wide as those vary.
 */
export class Description {
  /** Of the pieces without finite elements before. */
  #nan = 0;
  #infinite = 0;
  #accumulator: Accumulator | undefined;
  #dtype: Dtype = 'float32';
  /** A power of two that elements are multiplied by; with any but 1 what may overflow or vanish so is looked at here. */
  #unit = 1;
  #zeros = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  add(values: TensorData, dtype: Dtype): void {
    if (this.#accumulator === undefined) {
      const { finite, nan, infinite, largest } = lookAt(values, dtype);
      if (!finite) {
        this.#nan += nan;
        this.#infinite += infinite;
        return;
      }
      const exponent = largest > 0 ? Math.floor(Math.log2(largest)) : 0;
      // Two powers: 2^-1074 needs more than one.
      if (Math.abs(exponent) > mostExponent) this.#unit = 2 ** -Math.min(1023, Math.max(-1023, exponent));
      this.#dtype = dtype;
      this.#accumulator = new Accumulator(likely(this.#scaled(values), dtype));
    }
    if (this.#unit !== 1) {
      for (const x of values) {
        if (x === 0) this.#zeros += 1;
        if (Number.isFinite(x)) [this.#min, this.#max] = [Math.min(this.#min, x + 0), Math.max(this.#max, x + 0)];
      }
    }
    this.#accumulator.add(this.#scaled(values), dtype);
  }

  /** What was seen; there is no histogram of what was not finite. */
  result(): { readonly statistics: Statistics; readonly histogram: Histogram } {
    const unit = this.#unit;
    const accumulator = this.#accumulator ?? new Accumulator(likely(new Float32Array(0), this.#dtype));
    const found = accumulator.statistics();
    const { low, width, counts } = accumulator.histogram();
    const statistics = { ...found, nan: found.nan + this.#nan, infinite: found.infinite + this.#infinite };
    const histogram = { low: low / unit, width: width / unit, counts, expected: [] };
    if (unit === 1) return { statistics, histogram };
    const { mean, std } = found;
    const exact = { min: this.#min, max: this.#max, zeros: this.#zeros };
    return { statistics: { ...statistics, ...exact, mean: mean / unit, std: std / unit }, histogram };
  }

  #scaled(values: TensorData): TensorData {
    const unit = this.#unit;
    if (unit === 1) return values;
    const most = Number.MAX_VALUE;
    return Float64Array.from(values, (x) => (Number.isFinite(x) ? Math.min(most, Math.max(-most, x * unit)) : x));
  }
}

/** What there is besides finite elements, and the largest of their magnitudes. */
function lookAt(values: TensorData, dtype: Dtype) {
  const tally = newTally();
  addToTally(values, dtype, Float64Array.of(0, -1, 1, 0), tally);
  const of = (what: keyof typeof tallyAt) => tally[tallyAt[what]] as number;
  const largest = Math.max(-of('min'), of('max'), 0);
  return { finite: of('count') > 0, nan: of('nan'), infinite: of('infinite'), largest };
}

/** A normal distribution like these elements: their mean first, and then how they vary about it, since of large means the squares tell nothing. */
function likely(values: TensorData, dtype: Dtype) {
  const about = (shift: number) => {
    const tally = newTally();
    addToTally(values, dtype, Float64Array.of(shift, shift - 1, 1, 0), tally);
    const of = (what: keyof typeof tallyAt) => tally[tallyAt[what]] as number;
    const count = Math.max(1, of('count'));
    return { mean: shift + of('sum') / count, variance: of('square') / count, min: of('min'), max: of('max') };
  };
  const { mean, min, max } = about(0);
  // Of equal elements not even the last digit of a sum is to count.
  const center = min === max ? min : Math.min(max, Math.max(min, mean));
  const { variance } = about(Number.isFinite(center) ? center : 0);
  const std = variance > 0 ? Math.sqrt(variance) : Math.abs(center) || 1;
  const distribution = distributionOf({ kind: 'normal', mean: Number.isFinite(center) ? center : 0, std }, dtype);
  if (distribution === undefined) throw new Error('a normal distribution has a width');
  return distribution;
}
