import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Dtype, dtypes, roundUp, type TensorData, viewOf } from '../../lib/core/dtype.js';
import type { Fill } from '../../lib/core/fill.js';
import { packageFile } from '../../lib/core/package-files.js';
import { fillRange, fillRuns, type Key, seedTorch } from '../../lib/native/addon.js';
import { dtypeNames } from './catalog.js';

/**
 * A fill that takes one path through the native code: every blocking, method, fallback and place in the index space has one.
 * Their bytes are recorded in bench/paths.json, and never change.
 */
export interface Path {
  readonly name: string;
  readonly fill: Fill;
  readonly dtype: Dtype;
  readonly key: Key;
  readonly count: number;
  readonly begin: number;
  /** For a part of a fill that is not consecutive. */
  readonly runs?: Float64Array;
}

/** How a path is taken: the bytes are the same. */
export interface Way {
  readonly threads: number;
  /** As if it were larger than the caches, on any machine. */
  readonly streamed: boolean;
  /** Bytes of the destination past a line's beginning, in elements. */
  readonly shift: number;
}

export const plainWay: Way = { threads: 1, streamed: false, shift: 0 };
export const otherWays: readonly Way[] = [
  { threads: 3, streamed: false, shift: 0 },
  { threads: 1, streamed: true, shift: 0 },
  { threads: 1, streamed: true, shift: 1 },
  { threads: 3, streamed: true, shift: 4 },
  { threads: 1, streamed: false, shift: 3 },
];

const philox: Key = { seed: 0x9e3779b97f4a7c15n, stream: 2n ** 63n + 5n };

const uniform = (a: number, b: number): Fill => ({ kind: 'uniform', a, b });
const normal = (mean: number, std: number): Fill => ({ kind: 'normal', mean, std });
const truncated = (mean: number, std: number, a: number, b: number): Fill => ({
  kind: 'trunc_normal',
  mean,
  std,
  a,
  b,
});
const sparse = (rows: number, cols: number, zeros: number, std = 1): Fill => ({
  kind: 'sparse',
  rows,
  cols,
  zeros,
  std,
});
const orthogonal = (rows: number, cols: number, gain = 1, stride = 1, offset = 0): Fill => {
  return { kind: 'orthogonal', rows, cols, gain, stride, offset };
};

const infinity = Number.POSITIVE_INFINITY;

/** Fills whose elements do not depend on one another, by the way that docs/streams.md gives them. */
const elementwise: Readonly<Record<string, Fill>> = {
  constant: { kind: 'constant', value: 0.1 },
  zero: { kind: 'constant', value: 0 },
  diagonals: { kind: 'diagonal', value: 1.5, offset: 0, step: 5, count: 100, groups: 7, group_stride: 601 },
  uniform: uniform(0, 1),
  'uniform, clamped': uniform(-0.3, 0.7),
  'uniform, bounds that float32 has not': uniform(1 + 2 ** -26, 1.01 + 2 ** -27),
  'uniform, from between two values': uniform(1 + 2 ** -26, 1 + 2 ** -16 + 2 ** -26),
  'uniform, narrow': uniform(1 + 2 ** -25, 1 + 2 ** -7),
  'uniform, scale just exact': uniform(0, 2 ** -120),
  'uniform, subnormal': uniform(-1e-38, 3e-38),
  normal: normal(0, 1),
  'normal, mean and std': normal(-3, 0.02),
  'normal, narrow': normal(0.1, 1e-8),
  'normal, just narrow': normal(0.1, 1e-7),
  'normal, nearly narrow': normal(0.1, 1e-5),
  'normal, subnormal': normal(0, 3e-41),
  'normal, in part subnormal': normal(0, 2e-38),
  quantile: truncated(0, 1, -2, 2),
  'quantile, to its ends': truncated(0.5, 2, 0.5 - 4.4, 0.5 + 4.4),
  'quantile, narrowest': truncated(0, 1, 2, 2.1),
  'quantile, narrow std': truncated(0.1, 1e-8, 0.1 - 1e-8, 0.1 + 2e-8),
  'quantile, in part subnormal': truncated(0, 2e-38, -4e-38, 4e-38),
  'redrawn, few': truncated(0, 1, -3, 2.5),
  'redrawn, just beyond quantiles': truncated(0, 1, -1, 2.25),
  'redrawn, many': truncated(0, 1, 0.2, 40),
  'redrawn, all': truncated(1, 2 ** -50, 1 - 2 ** -50, 1 + 2 ** -48),
  'half-normal': truncated(0, 1, 0, infinity),
  'without bounds': truncated(1, 2, -infinity, infinity),
  'uniform candidates': truncated(0, 1, 0.9, 0.905),
  'uniform candidates, mirrored': truncated(3, 2, 0.5, 0.51),
  'uniform candidates, about the mean': truncated(0, 1, -0.001, 0.002),
  'exponential candidates': truncated(0, 1, 4, 9),
  'exponential candidates, mirrored': truncated(0, 1, -9, -4),
  'exponential candidates, without an end': truncated(1, 2, 8, infinity),
  'far uniform candidates': truncated(0, 1, 1e4, 1e4 + 1e-5),
  'far exponential candidates': truncated(0, 1, -1e6, -1e5),
};

/** Only in float64, whose ends are elsewhere. */
const wide: Readonly<Record<string, Fill>> = {
  'uniform, subnormal': uniform(-1e-310, 3e-310),
  'normal, subnormal': normal(0, 1e-310),
  'normal, at a sixteenth': normal(-1e308, 8e307),
  'redrawn, all': truncated(1, 2 ** -50, 1 - 2 ** -50, 1 + 2 ** -48),
  'trunc_normal, at a sixteenth': truncated(1.7e308, 1e308, -1.7e308, -1e308),
  'far, narrow': truncated(-1, 1e-8, 0, 1e-16),
  'far, beyond numbers': truncated(0, 1e300, 0, 1e-300),
};

const matrices: Readonly<Record<string, Fill>> = {
  'orthogonal, one block': orthogonal(48, 48),
  'orthogonal, a reflector more': orthogonal(49, 49),
  'orthogonal, a panel and a column': orthogonal(65, 65, -1.5),
  'orthogonal, a stretch': orthogonal(256, 30),
  'orthogonal, a stretch and a row': orthogonal(257, 30),
  'orthogonal, blocks of stretches': orthogonal(400, 300),
  'orthogonal, tall': orthogonal(5000, 9),
  'orthogonal, wide': orthogonal(9, 5000, 2),
  'orthogonal, a column': orthogonal(4111, 1),
  'orthogonal, strided': orthogonal(70, 50, 1, 9, 4),
  'orthogonal, wide and strided': orthogonal(50, 70, 1, 3, 1),
  sparse: sparse(100, 130, 10, 0.01),
  'sparse, a tile of choices': sparse(500, 70, 64),
  'sparse, tiles of choices': sparse(700, 130, 200),
  'sparse, all': sparse(90, 3, 90),
  'sparse, subnormal': sparse(200, 70, 3, 3e-41),
};

/** Of the engine torch: those whose values do not depend on the C library. */
const torch: Readonly<
  Record<string, { readonly fill: Fill; readonly total: number; readonly dtypes?: readonly Dtype[] }>
> = {
  uniform: { fill: uniform(-0.3, 0.7), total: 70_001 },
  normal: { fill: normal(0.5, 0.1), total: 70_001, dtypes: ['float32', 'float16', 'bfloat16'] },
  redrawn: { fill: truncated(0, 1, -1, 1), total: 70_001, dtypes: ['float32', 'float16', 'bfloat16'] },
  sparse: { fill: sparse(601, 110, 60), total: 66_110, dtypes: ['float32', 'float16', 'bfloat16'] },
  orthogonal: { fill: orthogonal(310, 60), total: 18_600, dtypes: ['float32', 'float16', 'bfloat16'] },
  'orthogonal, wide': { fill: orthogonal(60, 310), total: 18_600, dtypes: ['float32'] },
  'uniform, from far on': { fill: uniform(0, 1), total: 2 ** 40 },
  'normal, from far on': { fill: normal(0, 1), total: 2 ** 40, dtypes: ['float32', 'bfloat16'] },
};

/** Whether the dtype has a value within the bounds. */
function hasValues(fill: Fill, dtype: Dtype): boolean {
  if (fill.kind !== 'uniform' && fill.kind !== 'trunc_normal') return true;
  const least = roundUp(fill.a, dtype);
  return least <= dtypes[dtype].max && (fill.kind === 'uniform' ? least < fill.b : least <= fill.b);
}

function sizeOf(fill: Fill): number {
  if (fill.kind === 'orthogonal') return fill.rows * fill.cols * fill.stride;
  if (fill.kind === 'sparse') return fill.rows * fill.cols;
  return 0;
}

/** Every path, in every dtype that takes it. */
export function paths(): Path[] {
  const found: Path[] = [];
  const add = (
    name: string,
    fill: Fill,
    dtype: Dtype,
    count: number,
    begin: number,
    more: Partial<Path> = {},
  ): void => {
    found.push({ name: `${name} · ${dtype}`, fill, dtype, key: philox, count, begin, ...more });
  };
  for (const dtype of dtypeNames) {
    const fills = dtype === 'float64' ? { ...elementwise, ...wide } : elementwise;
    const carry = dtype === 'float64' ? 2 ** 33 : 2 ** 34; // where the number of the block takes its second word
    for (const [name, fill] of Object.entries(fills)) {
      if (!hasValues(fill, dtype)) continue;
      add(name, fill, dtype, 5003, 5);
      if (fill.kind === 'constant' || fill.kind === 'diagonal') continue;
      add(`${name}, across 2^32 blocks`, fill, dtype, 301, carry - 150);
      add(`${name}, at 2^53`, fill, dtype, 301, 2 ** 53 - 301);
    }
    for (const name of ['uniform', 'normal', 'redrawn, few']) {
      add(`${name}, tasks`, fills[name] as Fill, dtype, 300_007, 77);
      add(`${name}, near runs`, fills[name] as Fill, dtype, 5000, 40, { runs: Float64Array.of(5, 50, 300, 160) });
      add(`${name}, far runs`, fills[name] as Fill, dtype, 5000, 40, {
        runs: Float64Array.of(5, 100, 9, 1e6, 20, 5000),
      });
    }
    for (const [name, fill] of Object.entries(matrices)) add(name, fill, dtype, sizeOf(fill), 0);
  }
  const state = new Uint8Array(5056);
  seedTorch(state, 12345n);
  for (const [name, { fill, total, dtypes: names = dtypeNames }] of Object.entries(torch)) {
    const [begin, count] = total > 1e9 ? [2 ** 39 + 5, 1003] : [0, total];
    for (const dtype of names) add(`torch ${name}`, fill, dtype, count, begin, { key: { state, total } });
  }
  return found;
}

/** The bytes of a path, taken in some way. */
export function take({ fill, dtype, key, count, begin, runs }: Path, { threads, streamed, shift }: Way): TensorData {
  const memory = new ArrayBuffer((count + shift) * dtypes[dtype].bytes);
  const data = viewOf(dtype, memory, shift * dtypes[dtype].bytes, count);
  if (runs === undefined) {
    fillRange(
      data,
      dtype,
      fill,
      key,
      begin,
      threads,
      undefined,
      streamed ? { elements: 2 ** 40, threads: 8 } : undefined,
    );
  } else {
    fillRuns(data, dtype, fill, key, runs, begin, threads);
  }
  return data;
}

/** The first 64 bits of the SHA-256 of the bytes. */
export function digestOf(data: TensorData): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

/** The digests that were recorded, by the paths' names. */
export function recordedPaths(): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(packageFile('bench/paths.json'), 'utf8')) as Record<string, string>;
}
