import { type Fill, isWhole } from '../../../core/fill.js';
import { type Encoding, encodingOf, grids, isGrid } from '../../../core/grid.js';
import { encodingOfCodes } from '../../../init/fill-codes.js';
import { decode } from '../../../native/codes.js';
import type { ResolvedTensor } from '../../../plan/plan.js';
import { zeroRowRange } from '../../virtual/zero-row.js';
import { distributionOf } from './expected.js';
import { leastExpected, type Score, type Statistics } from './measure.js';
import { countZ, type Grid, meanZ } from './tails.js';

/** A value of a grid, dequantized: how often it is expected, and how often it is there. */
interface Cell {
  readonly value: number;
  readonly probability: number;
  count: number;
}

/** What a tensor of codes is expected to hold; undefined where its codes are no samples of a distribution. */
export function codeCountsOf(tensor: ResolvedTensor): CodeCounts | undefined {
  const { codes, dtype, fill } = tensor;
  const encoding = codes !== undefined ? encodingOfCodes(codes) : isGrid(dtype) ? encodingOf(dtype, fill) : undefined;
  if (encoding === undefined || !(fill.kind === 'orthogonal' || distributionOf(fill, 'float32') !== undefined))
    return undefined;
  return new CodeCounts(tensor, encoding, codes?.scale ?? 1);
}

/** Counts codes, whatever their order, and compares how often each occurs with the probability that the values' distribution gives it. */
export class CodeCounts {
  readonly text: string;
  readonly #encoding: Encoding;
  readonly #cells: readonly Cell[];
  /** The cell of each code; undefined for codes that nothing is rounded to. */
  readonly #cellOf: readonly (Cell | undefined)[];
  readonly #counts = new Float64Array(256);
  readonly #fill: Fill;
  /** Elements that are zero whatever the initializer says. */
  readonly #zeros: number;

  constructor(tensor: ResolvedTensor, encoding: Encoding, scale: number) {
    const { grid, low, high, zero } = encoding;
    const { bits } = grids[grid];
    this.#encoding = encoding;
    this.#fill = tensor.fill;
    const [from, to] = zeroRowRange(tensor);
    this.#zeros = to - from;
    const codes = Uint8Array.from({ length: 2 ** bits }, (_, code) => code);
    // A code a byte, the other half of which is another code where it takes four bits.
    const decoded = new Float32Array(codes.length * (8 / bits));
    decode(codes, grid, decoded);
    const values = Array.from(codes, (code) => (decoded[code * (8 / bits)] ?? 0) - zero + 0);
    const within = [...new Set(values.filter((value) => value >= low && value <= high))].sort((a, b) => a - b);
    const { cdf, text } = cdfOf(tensor.fill);
    const edges = within.slice(1).map((value, i) => cdf(((value + (within[i] ?? 0)) / 2) * scale));
    const cells = within.map((value, i): Cell => {
      return { value: value * scale, probability: (edges[i] ?? 1) - (edges[i - 1] ?? 0), count: 0 };
    });
    this.#cells = cells;
    this.#cellOf = values.map((value) => cells[within.indexOf(value)]);
    this.text = `${text} on ${grid}`;
  }

  add(bytes: Uint8Array): void {
    const counts = this.#counts;
    for (const byte of bytes) counts[byte] = (counts[byte] as number) + 1;
  }

  /** The cells with their counts, and how many codes are of none. */
  #counted(): number {
    const half = grids[this.#encoding.grid].bits === 4;
    for (const cell of this.#cells) cell.count = 0;
    let others = 0;
    const addCode = (code: number, count: number): void => {
      const cell = this.#cellOf[code];
      if (cell === undefined) others += count;
      else cell.count += count;
    };
    for (const [byte, count] of this.#counts.entries()) {
      addCode(half ? byte & 15 : byte, count);
      if (half) addCode(byte >> 4, count);
    }
    const zero = this.#cells.find(({ value }) => value === 0);
    if (zero !== undefined) zero.count -= this.#zeros;
    return others;
  }

  /** Of the values that the codes stand for. */
  statistics(): Statistics {
    const nan = this.#counted();
    const used = this.#cells.filter(({ count }) => count > 0);
    const count = used.reduce((sum, cell) => sum + cell.count, 0);
    const mean = used.reduce((sum, cell) => sum + cell.value * cell.count, 0) / count;
    const square = used.reduce((sum, cell) => sum + (cell.value - mean) ** 2 * cell.count, 0);
    return {
      count,
      mean,
      std: count > 1 ? Math.sqrt(square / (count - 1)) : 0,
      min: used[0]?.value ?? Number.POSITIVE_INFINITY,
      max: used.at(-1)?.value ?? Number.NEGATIVE_INFINITY,
      nan,
      infinite: 0,
      zeros: this.#zeros + (used.find(({ value }) => value === 0)?.count ?? 0),
      occupied: used.length,
    };
  }

  /** How far the codes are from what is expected: one score a test, and how many comparisons went into them. */
  scores(): { readonly scores: readonly Score[]; readonly comparisons: number } {
    const { count: n, mean, nan } = this.statistics();
    const scores: Score[] = nan > 0 ? [{ test: 'bounds', z: Number.POSITIVE_INFINITY }] : [];
    if (n === 0) return { scores, comparisons: 1 };
    const expected = (power: number, about: number) =>
      this.#cells.reduce((sum, { value, probability }) => sum + (value - about) ** power * probability, 0);
    const center = expected(1, 0);
    const variance = expected(2, center);
    const found = this.#cells.reduce((sum, { value, count }) => sum + (value - center) ** 2 * count, 0) / n;
    const spread = Math.sqrt((expected(4, center) - variance ** 2) / n);
    // Few numbers of a skewed distribution are far from its mean more often than normal ones.
    const grid = (): Grid => ({
      values: Float64Array.from(this.#cells, ({ value }) => value),
      weights: Float64Array.from(this.#cells, ({ probability }) => probability),
    });
    const squareZ = (difference: number): number =>
      meanZ(Math.abs(difference) / spread, variance + difference, n, grid, (x) => (x - center) ** 2);
    if (isWhole(this.#fill)) {
      // Elements that depend on one another: their sum of squares alone is known, and their distribution is near to the one that is taken for theirs.
      const off = found - variance;
      const beyond = Math.sign(off) * Math.max(0, Math.abs(off) - 0.05 * variance);
      return { scores: [...scores, { test: 'norm', z: beyond === 0 ? 0 : squareZ(beyond) }], comparisons: 1 };
    }
    const meanScore = (Math.abs(mean - center) / Math.sqrt(variance)) * Math.sqrt(n);
    scores.push({ test: 'mean', z: meanZ(meanScore, mean, n, grid, (x) => x) });
    scores.push({ test: 'std', z: squareZ(found - variance) });
    const tested = this.#cells.filter(({ probability: p }) => n * Math.min(p, 1 - p) >= leastExpected);
    const z = Math.max(
      0,
      ...tested.map(({ probability: p, count }) =>
        countZ(Math.abs(count - n * p) / Math.sqrt(n * p * (1 - p)), count / n, n, p),
      ),
    );
    if (tested.length > 0) scores.push({ test: 'occupancy', z });
    return { scores, comparisons: 3 + tested.length };
  }

  /** How many of the values that can occur do. */
  occupancy(): string {
    return `${this.statistics().occupied ?? 0} of ${this.#cells.length} values`;
  }
}

/** The distribution function of a fill's values, those of an orthogonal matrix taken for normal. */
function cdfOf(fill: Fill): { readonly cdf: (x: number) => number; readonly text: string } {
  if (fill.kind === 'orthogonal') {
    const std = Math.abs(fill.gain) / Math.sqrt(Math.max(fill.rows, fill.cols));
    const normal = distributionOf({ kind: 'normal', mean: 0, std }, 'float32');
    const cdf = normal?.cdf ?? ((x) => (x < 0 ? 0 : 1));
    return { cdf: withZeros(cdf, 1 - 1 / fill.stride), text: `orthogonal, gain ${Number(fill.gain.toPrecision(4))}` };
  }
  const distribution = distributionOf(fill, 'float32');
  if (distribution === undefined) throw new Error(`${fill.kind} has no distribution`);
  const { cdf, text } = distribution;
  return fill.kind === 'sparse' ? { cdf: withZeros(cdf, fill.zeros / fill.rows), text } : { cdf, text };
}

/** Of values a share of which is zero, and the others are distributed so. */
const withZeros = (cdf: (x: number) => number, zeros: number) => (x: number) =>
  (1 - zeros) * cdf(x) + (x > 0 ? zeros : 0);
