import { type Dtype, viewOf } from '../core/dtype.js';
import { type Fill, isWhole } from '../core/fill.js';
import { isFillable } from '../core/stored-dtype.js';
import { fillRange, get_num_threads } from '../native/addon.js';
import type { ResolvedTensor } from '../plan/plan.js';

/** Elements that are made to see how long it takes: some milliseconds each. */
const sample = 2 ** 20;
/** Rows and columns of a sample of what is made whole. */
const side = 256;
/** Shares of the work below this take as long as the others do. */
const leastShare = 0.01;

interface Kind {
  readonly fill: Fill;
  readonly dtype: Dtype;
  work: number;
}

/**
 * How long a plan's values take to be made on this machine, by making a few of each kind. Undefined where nothing can be made, without the addon.
 */
export function expectedTime(tensors: readonly ResolvedTensor[]): { seconds: number; threads: number } | undefined {
  const kinds = new Map<string, Kind>();
  for (const { fill, dtype, elements, codes } of tensors) {
    const isPlain = isFillable(dtype) && codes === undefined;
    const kind = isPlain ? `${fill.kind} ${dtype}` : 'codes';
    // Codes are drawn as normals are.
    const known = kinds.get(kind) ?? {
      fill: isPlain ? fill : { kind: 'normal', mean: 0, std: 1 },
      dtype: isPlain ? dtype : 'float32',
      work: 0,
    };
    // A matrix that is orthogonal takes its elements times its shorter side.
    known.work += elements * (fill.kind === 'orthogonal' ? Math.min(fill.rows, fill.cols) : 1);
    kinds.set(kind, known);
  }
  try {
    const threads = get_num_threads();
    const total = [...kinds.values()].reduce((sum, { work }) => sum + work, 0);
    let [seconds, seen] = [0, 0];
    for (const { fill, dtype, work } of kinds.values()) {
      if (work < leastShare * total) continue;
      seconds += work * rateOf(fill, dtype);
      seen += work;
    }
    return { seconds: seen === 0 ? 0 : (seconds * total) / seen, threads };
  } catch {
    return undefined;
  }
}

/** Seconds for a unit of work. */
function rateOf(given: Fill, dtype: Dtype): number {
  const whole = isWhole(given);
  const fill = whole ? smaller(given) : given;
  const elements = whole ? side * side : sample;
  const bytes = new ArrayBuffer(8 * elements);
  const values = viewOf(dtype, bytes, 0, elements);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const start = performance.now();
    fillRange(values, dtype, fill, { seed: 0n, stream: 0n });
    least = Math.min(least, performance.now() - start);
  }
  return least / 1000 / (elements * (given.kind === 'orthogonal' ? side : 1));
}

function smaller(fill: Fill): Fill {
  if (fill.kind === 'orthogonal') return { ...fill, rows: side, cols: side, stride: 1, offset: 0 };
  if (fill.kind === 'sparse') return { ...fill, rows: side, cols: side, zeros: Math.min(side, fill.zeros) };
  return fill;
}
