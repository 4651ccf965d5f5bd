import type { Dtype } from '../../lib/core/dtype.js';
import { dtypesOf, idOf, type SubjectName, subjects, type Trial } from './catalog.js';

/** What narrows or changes a suite. */
export interface Selection {
  readonly fills?: readonly SubjectName[] | undefined;
  readonly dtypes?: readonly Dtype[] | undefined;
  readonly log2?: readonly number[] | undefined;
  readonly threads?: readonly number[] | undefined;
  readonly memory?: Trial['memory'] | undefined;
  readonly executor?: Trial['executor'] | undefined;
  /** Of a trial's id. */
  readonly filter?: RegExp | undefined;
}

/** The elementwise fills of the main suite. */
const elementwise: readonly (readonly [SubjectName, Dtype])[] = [
  ['constant', 'float32'],
  ['uniform', 'float32'],
  ['normal', 'float32'],
  ['trunc_normal', 'float32'],
  ['truncNormalSkew', 'float32'],
  ['truncNormalOff', 'float32'],
  ['truncNormalTail', 'float32'],
  ['truncNormalSlit', 'float32'],
  ['uniform', 'bfloat16'],
  ['normal', 'bfloat16'],
  ['uniform', 'float16'],
  ['normal', 'float16'],
  ['uniform', 'float64'],
  ['normal', 'float64'],
  ['trunc_normal', 'float64'],
];

/** Whole matrices, and their usual sizes. */
const matrices: readonly (readonly [SubjectName, number])[] = [
  ['eye', 24],
  ['uniformSlice', 26],
  ['orthogonal', 22],
  ['orthogonalThin', 22],
  ['orthogonalBlock', 22],
  ['orthogonalTall', 22],
  ['orthogonalEmbedding', 24],
  ['sparse', 24],
];
const matrixLog2 = new Map(matrices);

const warm = { memory: 'warm', executor: 'sync' } as const;

/** In a second-level cache and yet long beside the cost of a call: what the arithmetic alone allows. */
export const cachedLog2 = 16;

/** What reads 16 bits as float32 does so on one thread, and on no pool: it is not to be called anything else. */
const isMeasurable = ({ fill, threads, executor }: Trial) =>
  !('widens' in subjects[fill]) || (threads === 1 && executor === 'sync');

function selected(trials: readonly Trial[], { fills, dtypes, threads, memory, executor, filter }: Selection): Trial[] {
  return trials.filter(
    (trial) =>
      isMeasurable(trial) &&
      (threads?.includes(trial.threads) ?? true) &&
      (fills?.includes(trial.fill) ?? true) &&
      (dtypes?.includes(trial.dtype) ?? true) &&
      (memory === undefined || trial.memory === memory) &&
      (executor === undefined || trial.executor === executor) &&
      (filter?.test(idOf(trial)) ?? true),
  );
}

/** 1 and all cores. */
function threadCounts(cores: number): number[] {
  return cores === 1 ? [1] : [1, cores];
}

/** What a fill does to its memory at best: some twenty seconds, and enough to say how near to the limit this machine gets. */
export function quickSuite(cores: number): Trial[] {
  const most = threadCounts(cores).at(-1) ?? 1;
  const of = (fill: SubjectName, dtype: Dtype, threads: number): Trial => ({ fill, dtype, log2: 26, threads, ...warm });
  return unique([
    of('constant', 'float32', most),
    ...[1, most].flatMap((threads) => [of('uniform', 'float32', threads), of('normal', 'float32', threads)]),
    of('trunc_normal', 'float32', most),
    of('normal', 'bfloat16', most),
  ]);
}

/**
 * The main suite: large fills on one thread and on all, in cache, on fresh memory, on the pool, whole matrices, and small calls.
 */
export function mainSuite(selection: Selection, cores: number): Trial[] {
  const threads = selection.threads ?? threadCounts(cores);
  const most = Math.max(...threads);
  const sizes = selection.log2 ?? [26];
  const trials: Trial[] = [];
  const add = (fill: SubjectName, dtype: Dtype, log2: number, more: Partial<Trial> = {}) => {
    for (const count of threads) trials.push({ fill, dtype, log2, threads: count, ...warm, ...more });
  };
  for (const log2 of sizes) {
    for (const [fill, dtype] of elementwise) {
      add(fill, dtype, log2);
      if (selection.log2 === undefined) trials.push({ fill, dtype, log2: cachedLog2, threads: 1, ...warm });
    }
  }
  // A size that was asked for is for all; otherwise matrices have the sizes of real layers.
  const matrix = (log2: number) => (selection.log2 === undefined ? [log2] : even(selection.log2, log2 + 2));
  for (const [fill, log2] of matrices) for (const size of matrix(log2)) add(fill, 'float32', size);
  if (selection.log2 === undefined) {
    trials.push({ fill: 'xavier_uniform', dtype: 'float32', log2: 10, threads: 1, ...warm });
    trials.push({ fill: 'normal', dtype: 'float32', log2: 6, threads: 1, ...warm });
    for (const fill of ['widenFloat16', 'widenBfloat16'] as const) {
      trials.push({ fill, dtype: 'float32', log2: 26, threads: 1, ...warm });
    }
  }
  for (const log2 of sizes) {
    for (const fill of ['uniform', 'normal'] as const) {
      add(fill, 'float32', log2, { memory: 'fresh' });
      trials.push({ fill, dtype: 'float32', log2, threads: most, memory: 'warm', executor: 'pool' });
    }
  }
  for (const [fill, dtype] of asked(selection)) {
    const isThere = (trial: Trial) => trial.fill === fill && trial.dtype === dtype && threads.includes(trial.threads);
    if (trials.some(isThere)) continue;
    for (const log2 of subjects[fill].matrix ? matrix(matrixLog2.get(fill) ?? 24) : sizes) add(fill, dtype, log2);
  }
  return unique(selected(trials, selection));
}

/** Fills that are named in the selection, in the dtypes that are: they are measured although the suite has others. */
function asked({ fills = [], dtypes = ['float32'] }: Selection): [SubjectName, Dtype][] {
  return fills.flatMap((fill) =>
    dtypes.filter((dtype) => dtypesOf(fill).includes(dtype)).map((dtype): [SubjectName, Dtype] => [fill, dtype]),
  );
}

function even(sizes: readonly number[], most: number): number[] {
  return sizes.map((log2) => Math.min(log2 - (log2 % 2), most));
}

/** 1, 2, 4, … and all. */
export function doublings(most: number): number[] {
  const counts: number[] = [];
  for (let n = 1; n < most; n *= 2) counts.push(n);
  return [...counts, most];
}

const scalingFills: readonly SubjectName[] = ['constant', 'uniform', 'normal', 'trunc_normal'];
/** 1 Ki to 1 Gi, by factors of four. */
const scalingSizes = [10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30];

/** The same fills on 1 … N threads and from 1 Ki to 1 Gi elements. */
export function scalingSuite(selection: Selection, cores: number): Trial[] {
  const fills = selection.fills ?? scalingFills;
  const trials = fills.flatMap((fill) =>
    (selection.dtypes ?? ['float32']).flatMap((dtype) =>
      (selection.log2 ?? scalingSizes).flatMap((log2) =>
        (selection.threads ?? doublings(cores)).map(
          (threads): Trial => ({
            fill,
            dtype,
            log2,
            threads,
            memory: selection.memory ?? 'warm',
            executor: selection.executor ?? 'sync',
          }),
        ),
      ),
    ),
  );
  return unique(selected(trials, selection));
}

function unique(trials: readonly Trial[]): Trial[] {
  const seen = new Map(trials.map((trial) => [JSON.stringify(trial), trial]));
  return [...seen.values()];
}
