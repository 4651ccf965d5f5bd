import { type Dtype, dtypes } from '../../lib/core/dtype.js';
import type { Initializer } from '../../lib/init/initializers.js';

/** A fill that can be measured. */
export interface Subject {
  readonly initializer: Initializer;
  /** Made on a matrix, of as many columns or of sizes as equal as powers of two can be; otherwise on one dimension. */
  readonly matrix: boolean | number;
  /** The matrix is a part of a wider one: as many of its columns as it has, from one on. */
  readonly slice?: { readonly columns: number; readonly from: number };
  /** Values that were drawn in this dtype before are read as float32, on one thread: what is measured is that. */
  readonly widens?: 'float16' | 'bfloat16';
  /** For people, what of the arguments matters. */
  readonly note?: string;
}

/** What can be measured, by name. Those on one dimension begin alike whatever their length. */
export const subjects = {
  constant: { initializer: { init: 'constant', val: 0.5 }, matrix: false },
  zeros: { initializer: 'zeros', matrix: false },
  ones: { initializer: 'ones', matrix: false },
  uniform: { initializer: 'uniform', matrix: false },
  normal: { initializer: 'normal', matrix: false },
  trunc_normal: { initializer: 'trunc_normal', matrix: false },
  truncNormalSkew: { initializer: { init: 'trunc_normal', a: -1, b: 4 }, matrix: false, note: '[-1, 4]' },
  truncNormalTail: { initializer: { init: 'trunc_normal', a: 4, b: 9 }, matrix: false, note: '[4, 9]' },
  truncNormalOff: { initializer: { init: 'trunc_normal', a: 1, b: 3 }, matrix: false, note: '[1, 3]' },
  truncNormalSlit: { initializer: { init: 'trunc_normal', a: 1, b: 1.001 }, matrix: false, note: '[1, 1.001]' },
  widenFloat16: { initializer: 'normal', matrix: false, widens: 'float16' },
  widenBfloat16: { initializer: 'normal', matrix: false, widens: 'bfloat16' },
  eye: { initializer: 'eye', matrix: true },
  uniformSlice: {
    initializer: 'uniform',
    matrix: 1024,
    slice: { columns: 3072, from: 1001 },
    note: 'columns 1001 … of 3072,',
  },
  xavier_uniform: { initializer: 'xavier_uniform', matrix: true },
  orthogonal: { initializer: 'orthogonal', matrix: true },
  orthogonalThin: { initializer: 'orthogonal', matrix: 4 },
  orthogonalBlock: { initializer: 'orthogonal', matrix: 32 },
  orthogonalTall: { initializer: 'orthogonal', matrix: 64 },
  orthogonalEmbedding: { initializer: 'orthogonal', matrix: 512 },
  sparse: { initializer: { init: 'sparse', sparsity: 0.1 }, matrix: true },
} as const satisfies Readonly<Record<string, Subject>>;

export type SubjectName = keyof typeof subjects;

export const subjectNames = Object.keys(subjects) as SubjectName[];
export const dtypeNames = Object.keys(dtypes) as Dtype[];

/** What a subject can be measured in. */
export function dtypesOf(fill: SubjectName): readonly Dtype[] {
  const { widens }: Subject = subjects[fill];
  return widens === undefined ? dtypeNames : ['float32'];
}

/** Where a fill writes: over the same memory again and again, or to memory that was never touched. */
export const memories = ['warm', 'fresh'] as const;
/** Who fills: this thread and native ones beside it, or Piscina's workers. */
export const executors = ['sync', 'pool'] as const;

/** One thing to measure, as data. */
export interface Trial {
  readonly fill: SubjectName;
  readonly dtype: Dtype;
  /** Elements, as a power of two. */
  readonly log2: number;
  readonly threads: number;
  readonly memory: (typeof memories)[number];
  readonly executor: (typeof executors)[number];
}

/** The shape of a trial's tensor. */
export function shapeOf({ fill, log2 }: Pick<Trial, 'fill' | 'log2'>): number[] {
  const { matrix } = subjects[fill];
  if (matrix === false) return [2 ** log2];
  if (matrix !== true) return [Math.max(1, 2 ** log2 / matrix), Math.min(2 ** log2, matrix)];
  return [2 ** Math.ceil(log2 / 2), 2 ** Math.floor(log2 / 2)];
}

/** Bytes of a trial's tensor. */
export function bytesOf({ dtype, log2 }: Pick<Trial, 'dtype' | 'log2'>): number {
  return 2 ** log2 * dtypes[dtype].bytes;
}

/** A trial's name: the same trial has the same in every run. */
export function idOf({ fill, dtype, log2, threads, memory, executor }: Trial): string {
  return `${fill} ${dtype} 2^${log2} ${threads}t ${memory} ${executor}`;
}

/** What is filled, for people: `normal_ 2^26`, `trunc_normal_ [4, 9] 2^26`, `orthogonal_ 2048 × 2048`, `float16 read as float32, 2^26`. */
export function titleOf(trial: Pick<Trial, 'fill' | 'log2'>): string {
  const { initializer, matrix, widens, note }: Subject = subjects[trial.fill];
  if (widens !== undefined) return `${widens} read as float32, 2^${trial.log2}`;
  const name = typeof initializer === 'string' ? initializer : initializer.init;
  const shape = matrix ? shapeOf(trial).join(' × ') : `2^${trial.log2}`;
  return [`${name}_`, ...(note === undefined ? [] : [note]), shape].join(' ');
}
