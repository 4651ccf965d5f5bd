import type { Norms } from '../../../core/codes.js';
import { type Dtype, dtypes, type TensorData, viewOf } from '../../../core/dtype.js';
import type { Fill, OrthogonalFill } from '../../../core/fill.js';
import { twoSidedZ } from '../../../core/normal.js';
import { elementsOf } from '../../../core/shape.js';
import { isFillable, storedBytes } from '../../../core/stored-dtype.js';
import type { Checkpoint } from '../../../formats/reader.js';
import { stepsText } from '../../../plan/facts.js';
import { philoxKeys } from '../../../plan/keys.js';
import type { ResolvedTensor } from '../../../plan/plan.js';
import { tensor as tensorOf } from '../../../tensor/tensor.js';
import { toFloat32Array } from '../../../tensor/widen.js';
import { pieces } from '../../read/read.js';
import { onThisThread } from '../../virtual/executor.js';
import { PlannedValues } from '../../virtual/planned-values.js';
import { zeroRowRange } from '../../virtual/zero-row.js';
import { type Difference, match } from '../match.js';
import { Comparison, type VerifyOptions } from '../verify.js';
import { codeCountsOf } from './codes.js';
import { distributionOf } from './expected.js';
import { Accumulator, chiSquareZ, type Histogram, type Score, type Statistics } from './measure.js';

/** A tensor's elements beside what the plan expects of them. */
export interface Measured {
  readonly tensor: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The expected distribution, or value. */
  readonly expected: string;
  /** Absent for tensors that are no samples of a distribution, and were compared number by number. */
  readonly statistics?: Statistics;
  /** The test that was failed by most, or passed by least; absent where there is none. */
  readonly worst?: Score;
  readonly consistent: boolean;
}

/** What a report shows of a tensor besides. */
export interface MeasuredInDetail extends Measured {
  readonly elements: number;
  readonly scores: readonly Score[];
  readonly histogram?: Histogram;
}

/** Some bytes of a tensor: a piece of a file, or of what is made. */
export interface Sample {
  readonly pair: { readonly planned: ResolvedTensor };
  /** The first element's index. */
  readonly begin: number;
  readonly bytes: Uint8Array;
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
  const planned = pairs.map((pair) => pair.planned);
  const { measured, bytes, limit } = await measureTensors(planned, pieces(pairs, options), options);
  const brief = measured.map(({ elements: _, scores: __, histogram: ___, ...each }): Measured => each);
  return { measured: brief, differences, bytes, limit };
}

/** The same of samples wherever they come from, in detail. */
export async function measureTensors(
  tensors: readonly ResolvedTensor[],
  samples: AsyncIterable<Sample>,
  { threads = 0, onProgress }: Pick<VerifyOptions, 'threads' | 'onProgress'>,
): Promise<{ readonly measured: readonly MeasuredInDetail[]; readonly bytes: number; readonly limit: number }> {
  const gauges = new Map(tensors.map((planned) => [planned, gaugeFor(planned, threads)]));
  let bytes = 0;
  for await (const sample of samples) {
    await gauges.get(sample.pair.planned)?.add(sample);
    bytes += sample.bytes.length;
    onProgress?.(bytes);
  }
  const results = Array.from(gauges, ([planned, gauge]) => [planned, gauge.result()] as const);
  const comparisons = results.reduce((sum, [, result]) => sum + result.comparisons, 0);
  const limit = twoSidedZ(falseAlarm / Math.max(1, comparisons));
  const measured = results.map(([planned, { comparisons: _, ...result }]): MeasuredInDetail => {
    const { name: tensor, dtype, shape, elements } = planned;
    const worst = result.scores.reduce<Score | undefined>(
      (most, score) => (score.z > (most?.z ?? -1) ? score : most),
      undefined,
    );
    const consistent = (worst?.z ?? 0) <= limit;
    return { tensor, dtype, shape, elements, ...result, ...(worst === undefined ? {} : { worst }), consistent };
  });
  return { measured, bytes, limit };
}

interface Result {
  readonly expected: string;
  readonly statistics?: Statistics;
  readonly histogram?: Histogram;
  readonly scores: readonly Score[];
  readonly comparisons: number;
}

/** Takes in a tensor's pieces and says what came of it. */
interface Gauge {
  add(piece: Sample): void | Promise<void>;
  result(): Result;
}

function gaugeFor(planned: ResolvedTensor, threads: number): Gauge {
  const { dtype, fill } = planned;
  const { norms } = planned;
  if (norms !== undefined) return lengthsGauge(planned, norms);
  const codes = codeCountsOf(planned);
  if (codes !== undefined) {
    return {
      add: ({ bytes }) => codes.add(bytes),
      result: () => {
        const expected = `${codes.text}, ${codes.occupancy()}`;
        return { expected, statistics: codes.statistics(), ...codes.scores() };
      },
    };
  }
  if (isFillable(dtype)) {
    if (fill.kind === 'orthogonal') return normGauge(planned, fill, dtype);
    const distribution = distributionOf(fill, dtype);
    if (distribution !== undefined) {
      const accumulator = new Accumulator(distribution);
      let zero = true; // the row that is to be zero
      return {
        add: (piece) => {
          for (const { values, drawn } of valuesOf(piece, dtype)) {
            if (drawn) accumulator.add(values, dtype);
            else zero &&= areZeros(values);
          }
        },
        result: () => {
          const { scores, comparisons } = accumulator.scores(dtype, planned.slice === undefined);
          const all = zero ? scores : [{ test: 'values', z: Number.POSITIVE_INFINITY } as const];
          const [statistics, histogram] = [accumulator.statistics(), accumulator.histogram()];
          return { expected: distribution.text, statistics, histogram, scores: all, comparisons };
        },
      };
    }
    const leeway = leewayOf(fill, dtype, planned);
    if (leeway !== undefined) return nearGauge(planned, dtype, leeway, threads);
  }
  return exactGauge(planned, threads);
}

/** What has no randomness is compared element for element. */
function exactGauge(planned: ResolvedTensor, threads: number): Gauge {
  const comparison = new Comparison(philoxKeys(0n), onThisThread(threads));
  const { fill, steps } = planned;
  return {
    add: ({ begin, bytes }) => comparison.compare({ planned }, begin, bytes),
    result: () => {
      const [difference] = comparison.differences();
      const value = fill.kind === 'constant' ? `all ${fill.value}` : fill.kind;
      const expected = steps === undefined ? value : stepsText(steps);
      if (difference === undefined) return { expected, scores: [], comparisons: 0 };
      return { expected, scores: [{ test: 'values', z: Number.POSITIVE_INFINITY }], comparisons: 0 };
    },
  };
}

/** From a number to how far from it another library's may be. */
type Leeway = (value: number) => number;

/**
 * Of what is made by a logarithm, an exponential function, a sine or a cosine, and so is another number in its last bits wherever it was made: tables, and
 * logarithms of what is one number throughout. Undefined for numbers that are the same everywhere.
 */
function leewayOf(fill: Fill, dtype: Dtype, { shape, slice }: ResolvedTensor): Leeway | undefined {
  // Others compute in float32, and round to the dtype.
  const step = 2 ** (1 - Math.min(dtypes[dtype].precision, 24));
  switch (fill.kind) {
    case 'log_arange':
    case 'log_of_uniform':
    case 'dt_bias':
      return (value) => step * (1 + Math.abs(value));
    case 'sinusoid': {
      // An angle is off by as much of itself as a frequency is, which is by as much as its logarithm is off.
      const angle = elementsOf(slice?.shape ?? shape) / fill.cols;
      const turn = angle * (1 + Math.log(fill.base)) * 2 ** -23;
      return (value) => turn + step * (1 + Math.abs(value));
    }
    default:
      return undefined;
  }
}

/** What has no randomness, but depends on how functions are computed, is compared with some leeway. */
function nearGauge(planned: ResolvedTensor, dtype: Dtype, leeway: Leeway, threads: number): Gauge {
  const values = new PlannedValues(philoxKeys(0n), onThisThread(threads));
  const read = (bytes: Uint8Array): TensorData => {
    const copy = new Uint8Array(bytes); // aligned
    return numbersOf(viewOf(dtype, copy.buffer, 0, copy.length / dtypes[dtype].bytes), dtype);
  };
  let near = true;
  return {
    add: async ({ begin, bytes }) => {
      const made = read(await values.bytesOf(planned, storedBytes(dtype, begin), bytes.length));
      const found = read(bytes);
      near &&= made.every((value, i) => Math.abs((found[i] ?? Number.NaN) - value) <= leeway(value));
    },
    result: () => {
      const scores: Score[] = near ? [] : [{ test: 'values', z: Number.POSITIVE_INFINITY }];
      return { expected: planned.fill.kind, scores, comparisons: 0 };
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
      for (const { values } of valuesOf(piece, dtype)) accumulator?.add(values, dtype);
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
      return { expected: text, statistics, histogram: accumulator.histogram(), scores, comparisons: 0 };
    },
  };
}

/** Lengths of another tensor's columns: sums of squares of the numbers that it draws, of which it is not asked here which they are. */
function lengthsGauge({ dtype, fill, elements }: ResolvedTensor, norms: Norms): Gauge {
  if (!isFillable(dtype)) throw new Error(`no lengths in ${dtype}`);
  const rows = elementsOf(norms.shape) / elements;
  const drawn = distributionOf(fill, 'float64');
  const { std, fourth } = drawn !== undefined && drawn.mean === 0 && drawn.zeros === 0 ? drawn : { std: 0, fourth: 0 };
  const isNormal = fill.kind === 'normal';
  const scored = std > 0 && rows >= (isNormal ? 1 : 20);
  // Each is rounded, and was summed in whatever precision; and others draw uniforms coarsely.
  const coarsest = Math.min(dtypes[dtype].precision, dtypes[norms.dtype ?? 'float32'].precision, 17);
  const rounding = (isNormal ? 1 : 4) * 2 ** -coarsest;
  const away = (square: number): number =>
    isNormal ? chiSquareZ(square, rows) : (square - rows) / Math.sqrt(rows * (fourth / std ** 4 - 1));
  let [finite, z] = [true, 0];
  return {
    add: ({ begin, bytes, pair }) => {
      for (const { values } of valuesOf({ begin, bytes, pair }, dtype)) {
        for (const length of numbersOf(values, dtype)) {
          if (!(length >= 0 && length < Number.POSITIVE_INFINITY)) finite = false;
          else if (scored) {
            const [least, most] = [1 - rounding, 1 + rounding].map((factor) => ((length * factor) / std) ** 2);
            z = Math.max(z, Math.abs(away(Math.min(most ?? 0, Math.max(least ?? 0, rows)))));
          }
        }
      }
    },
    result: () => {
      const scores: Score[] = finite ? [] : [{ test: 'finite', z: Number.POSITIVE_INFINITY }];
      if (scored) scores.push({ test: 'norm', z });
      return { expected: `lengths of ${norms.of}'s columns`, scores, comparisons: elements };
    },
  };
}

/** As numbers: of 16 bits they are widened. */
function numbersOf(values: TensorData, dtype: Dtype): TensorData {
  return dtype === 'float64' ? values : toFloat32Array(tensorOf(values, [values.length], { dtype }));
}

/** Numbers, or the bits of 16-bit ones. */
function areZeros(values: TensorData): boolean {
  const zero = values instanceof Uint16Array ? (bits: number) => (bits & 0x7fff) === 0 : (x: number) => x === 0;
  return values.every(zero);
}

let aligned = new Uint8Array(0);

export interface Values {
  readonly values: TensorData;
  /** False for those of a row that is zero whatever the initializer. */
  readonly drawn: boolean;
}

/** A piece's elements. Valid until the next piece is asked for. */
export function* valuesOf({ pair, begin, bytes }: Sample, dtype: Dtype): Generator<Values, void, undefined> {
  const size = dtypes[dtype].bytes;
  let source = bytes;
  if (bytes.byteOffset % size !== 0) {
    if (aligned.length < bytes.length) aligned = new Uint8Array(bytes.length);
    source = aligned.subarray(0, bytes.length);
    source.set(bytes);
  }
  const count = bytes.length / size;
  const values = viewOf(dtype, source.buffer, source.byteOffset, count);
  const [from, to] = zeroRowRange(pair.planned).map((at) => Math.min(count, Math.max(0, at - begin))) as [
    number,
    number,
  ];
  if (from > 0) yield { values: values.subarray(0, from), drawn: true };
  if (to > from) yield { values: values.subarray(from, to), drawn: false };
  if (to < count) yield { values: values.subarray(to), drawn: true };
}
