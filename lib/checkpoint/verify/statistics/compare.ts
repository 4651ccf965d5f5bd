import { type Dtype, dtypes, viewOf } from '../../../core/dtype.js';
import type { OrthogonalFill } from '../../../core/fill.js';
import { isFillable } from '../../../core/stored-dtype.js';
import type { Checkpoint } from '../../../formats/reader.js';
import { widen } from '../../../native/addon.js';
import { philoxKeys } from '../../../plan/keys.js';
import type { ResolvedTensor } from '../../../plan/plan.js';
import { type Piece, pieces } from '../../read/read.js';
import { zeroRowRange } from '../../virtual/zero-row.js';
import { type Difference, match, type Pair } from '../match.js';
import { Comparison, type VerifyOptions } from '../verify.js';
import { distributionOf } from './expected.js';
import { twoSidedZ } from './math.js';
import { Accumulator, type Score, type Statistics } from './measure.js';

/** A tensor's elements beside what the plan expects of them. */
export interface Measured {
  readonly tensor: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The expected distribution, or value. */
  readonly expected: string;
  /** Absent for tensors that are no samples of a distribution, and were compared exactly. */
  readonly statistics?: Statistics;
  /** The test that was failed by most, or passed by least; absent where there is none. */
  readonly worst?: Score;
  readonly consistent: boolean;
}

export interface Measurement {
  /** In the order of the files. */
  readonly measured: readonly Measured[];
  /** Tensors that are missing, not planned, or of another dtype or shape: none of these was measured. */
  readonly differences: readonly Difference[];
  readonly bytes: number;
  /** The most that a score may be, in standard deviations. */
  readonly limit: number;
}

/** The probability that a checkpoint is called inconsistent by chance, all of its tensors and tests together. */
const falseAlarm = 1e-6;

/**
 * Compares the elements of a checkpoint's tensors with the distributions that its plan expects, without knowing the seed: mean, standard
 * deviation, shape, extremes and bounds. Constants are compared exactly, orthogonal matrices by their norm.
 *
 * The limit accounts for the number of tests (Bonferroni): a checkpoint that follows its plan is found inconsistent once in a million.
 *
 * @throws InputError (ERR_NNINIT_READ) where a file cannot be read; InterruptedError after `signal`
 */
export async function measureCheckpoint(
  checkpoint: Checkpoint,
  tensors: readonly ResolvedTensor[],
  options: VerifyOptions = {},
): Promise<Measurement> {
  const { pairs, differences } = match(checkpoint, tensors);
  const gauges = new Map(pairs.map((pair) => [pair, gaugeFor(pair, options.threads ?? 0)]));
  let bytes = 0;
  for await (const piece of pieces(pairs, options)) {
    await gauges.get(piece.pair)?.add(piece);
    bytes += piece.bytes.length;
    options.onProgress?.(bytes);
  }
  const results = Array.from(gauges, ([pair, gauge]) => [pair, gauge.result()] as const);
  const comparisons = results.reduce((sum, [, result]) => sum + result.comparisons, 0);
  const limit = twoSidedZ(falseAlarm / Math.max(1, comparisons));
  const measured = results.map(([{ planned }, { expected, statistics, scores }]): Measured => {
    const { name: tensor, dtype, shape } = planned;
    const worst = scores.reduce<Score | undefined>(
      (most, score) => (score.z > (most?.z ?? -1) ? score : most),
      undefined,
    );
    return {
      tensor,
      dtype,
      shape,
      expected,
      ...(statistics === undefined ? {} : { statistics }),
      ...(worst === undefined ? {} : { worst }),
      consistent: (worst?.z ?? 0) <= limit,
    };
  });
  return { measured, differences, bytes, limit };
}

interface Result {
  readonly expected: string;
  readonly statistics?: Statistics;
  readonly scores: readonly Score[];
  readonly comparisons: number;
}

/** Takes in a tensor's pieces and says what came of it. */
interface Gauge {
  add(piece: Piece): void | Promise<void>;
  result(): Result;
}

function gaugeFor(pair: Pair, threads: number): Gauge {
  const { dtype, fill } = pair.planned;
  if (isFillable(dtype)) {
    if (fill.kind === 'orthogonal') return normGauge(pair.planned, fill, dtype);
    const distribution = distributionOf(fill, dtype);
    if (distribution !== undefined) {
      const accumulator = new Accumulator(distribution);
      let zero = true; // the row that is to be zero
      return {
        add: (piece) => {
          for (const { values, drawn } of valuesOf(piece, dtype)) {
            if (drawn) accumulator.add(values);
            else zero &&= values.every((value) => value === 0);
          }
        },
        result: () => {
          const { scores, comparisons } = accumulator.scores(dtype);
          const all = zero ? scores : [{ test: 'values', z: Number.POSITIVE_INFINITY } as const];
          return { expected: distribution.text, statistics: accumulator.statistics(), scores: all, comparisons };
        },
      };
    }
  }
  return exactGauge(pair, threads);
}

/** What has no randomness is compared element for element. */
function exactGauge(pair: Pair, threads: number): Gauge {
  const comparison = new Comparison(philoxKeys(0n), threads);
  const { fill } = pair.planned;
  return {
    add: ({ begin, bytes }) => comparison.compare(pair, begin, bytes),
    result: () => {
      const [difference] = comparison.differences();
      const expected = fill.kind === 'constant' ? `all ${fill.value}` : fill.kind;
      if (difference === undefined) return { expected, scores: [], comparisons: 0 };
      return { expected, scores: [{ test: 'values', z: Number.POSITIVE_INFINITY }], comparisons: 0 };
    },
  };
}

/** The sum of squares of an orthogonal matrix is gain² for each row or column, whichever are fewer. */
function normGauge({ slice }: ResolvedTensor, fill: OrthogonalFill, dtype: Dtype): Gauge {
  const { rows, cols, gain, stride } = fill;
  const expected = (gain * gain) / (Math.max(rows, cols) * stride);
  // A part of a matrix has about its share; the whole has it but for rounding.
  const distribution = distributionOf({ kind: 'normal', mean: 0, std: Math.sqrt(expected) }, dtype);
  const accumulator = distribution && new Accumulator(distribution);
  return {
    add: (piece) => {
      for (const { values } of valuesOf(piece, dtype)) accumulator?.add(values);
    },
    result: () => {
      const text = `orthogonal, gain ${Number(gain.toPrecision(4))}`;
      if (accumulator === undefined) return { expected: text, scores: [], comparisons: 0 };
      const statistics = accumulator.statistics();
      const { count, mean, std, nan, infinite } = statistics;
      const square = mean * mean + (std * std * Math.max(0, count - 1)) / count;
      const tolerance = dtypes[dtype].bytes === 2 ? 0.02 : 1e-3;
      const byChance = slice === undefined ? 0 : 8 * Math.sqrt((2 * stride) / count);
      const off = Math.abs(square / expected - 1) > tolerance + byChance || nan + infinite > 0;
      const scores: Score[] = [{ test: 'norm', z: off ? Number.POSITIVE_INFINITY : 0 }];
      return { expected: text, statistics, scores, comparisons: 0 };
    },
  };
}

let wide = new Float32Array(0);
let aligned = new Uint8Array(0);

interface Values {
  readonly values: Float32Array | Float64Array;
  /** False for those of a row that is zero whatever the initializer. */
  readonly drawn: boolean;
}

/** A piece's elements as numbers. Valid until the next piece is asked for. */
function* valuesOf({ pair, begin, bytes }: Piece, dtype: Dtype): Generator<Values, void, undefined> {
  const size = dtypes[dtype].bytes;
  let source = bytes;
  if (bytes.byteOffset % size !== 0) {
    if (aligned.length < bytes.length) aligned = new Uint8Array(bytes.length);
    source = aligned.subarray(0, bytes.length);
    source.set(bytes);
  }
  const count = bytes.length / size;
  let values = viewOf(dtype, source.buffer, source.byteOffset, count);
  if (values instanceof Uint16Array) {
    if (wide.length < count) wide = new Float32Array(count);
    const out = wide.subarray(0, count);
    widen(values, dtype as 'float16' | 'bfloat16', out);
    values = out;
  }
  const [from, to] = zeroRowRange(pair.planned).map((at) => Math.min(count, Math.max(0, at - begin))) as [
    number,
    number,
  ];
  if (from > 0) yield { values: values.subarray(0, from), drawn: true };
  if (to > from) yield { values: values.subarray(from, to), drawn: false };
  if (to < count) yield { values: values.subarray(to), drawn: true };
}
