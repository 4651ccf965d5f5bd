import { type Dtype, dtypes, type TensorData, viewOf } from '../core/dtype.js';
import { type Fill, isRandom, isWhole } from '../core/fill.js';
import { elementsOf } from '../core/shape.js';
import { fillRange, fillRuns, isTorchKey, type Key } from '../native/addon.js';
import { gridOf, type Run, runsOf, type Slice } from '../tensor/slice.js';

/** Loops over runs that the native side takes; shapes of ten and more dimensions can have more. */
const mostLoops = 8;

/** Writes elements [begin, begin + data.length) of the whole fill. */
type RunRange = (data: TensorData, begin: number) => void;

/** Elements: 8 to 32 MB. */
const longestStretch = 2 ** 22;

/**
 * Writes elements [begin, begin + data.length) of a slice of a fill into `data`: the bytes that the whole fill has there. Only what
 * is asked for is made, but for orthogonal and sparse fills, which need the whole's memory meanwhile.
 *
 * @param fill resolved on the whole tensor's shape
 * @param threads native threads; 0 for the number that set_num_threads set
 * @param cancel when another thread makes it non-zero, filling stops
 * @returns false if it was cancelled
 */
export function runFillOfSlice(
  data: TensorData,
  dtype: Dtype,
  fill: Fill,
  key: Key,
  slice: Slice,
  begin: number,
  threads: number,
  cancel?: Int32Array,
): boolean {
  const grid = gridOf(slice);
  if (grid === undefined || data.length === 0) return true;
  const { offset, length, loops } = grid;
  let going = true;
  const run: RunRange = (range, at) => {
    going &&= fillRange(range, dtype, fill, key, at, threads, cancel);
  };
  if (isWhole(fill)) {
    copyFromWhole(data, dtype, slice, begin, run);
  } else if (loops.length === 0) {
    run(data, offset + begin);
  } else if (loops.length <= mostLoops && !(isTorchKey(key) && isRandom(fill))) {
    const runs = Float64Array.from([offset, length, ...loops.flatMap(({ count, stride }) => [count, stride])]);
    return fillRuns(data, dtype, fill, key, runs, begin, threads, cancel);
  } else {
    copyFromStretches(data, dtype, slice, begin, run);
  }
  return going;
}

/**
 * Makes near runs together with what lies between them: for engines that draw in sequence, where to jump a million elements costs
 * as much as to draw them.
 */
function copyFromStretches(data: TensorData, dtype: Dtype, slice: Slice, begin: number, runRange: RunRange): void {
  let near: Run[] = [];
  let memory = new ArrayBuffer(0);
  const flush = (): void => {
    const [first, last] = [near[0], near[near.length - 1]];
    if (first === undefined || last === undefined) return;
    if (first === last) {
      runRange(data.subarray(first.at, first.at + first.length), first.begin);
    } else {
      const length = last.begin + last.length - first.begin;
      const size = dtypes[dtype].bytes;
      if (memory.byteLength < length * size) memory = new ArrayBuffer(length * size);
      const stretch = viewOf(dtype, memory, 0, length);
      runRange(stretch, first.begin);
      for (const run of near) {
        const from = run.begin - first.begin;
        data.set(stretch.subarray(from, from + run.length), run.at);
      }
    }
    near = [];
  };
  for (const run of runsOf(slice, begin, begin + data.length)) {
    if (run.begin + run.length - (near[0]?.begin ?? run.begin) > longestStretch) flush();
    near.push(run);
  }
  flush();
}

function copyFromWhole(data: TensorData, dtype: Dtype, slice: Slice, begin: number, runRange: RunRange): void {
  const elements = elementsOf(slice.shape);
  const whole = viewOf(dtype, new ArrayBuffer(elements * dtypes[dtype].bytes), 0, elements);
  runRange(whole, 0);
  for (const run of runsOf(slice, begin, begin + data.length)) {
    data.set(whole.subarray(run.begin, run.begin + run.length), run.at);
  }
}
