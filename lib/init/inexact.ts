import { type Dtype, dtypes } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { normalCdf } from '../core/normal.js';
import type { Engine } from '../random/names.js';

/** A logarithm is off by z² / 2 times the rounding of the dtype: beyond, by more than 1/256. */
const mostStds: Readonly<Record<Dtype, number>> = { float16: 0, bfloat16: 0, float32: 362, float64: 8.4e6 };

/**
 * Why a fill's values do not follow its distribution; undefined where they do, which is everywhere but in the engine torch: it has
 * PyTorch's numbers. There, where 30 % or less of a normal distribution is inside the bounds, candidates from a uniform
 * distribution are accepted by comparing logarithms in the tensor's dtype. In 16 bits these are too coarse: of N(0, 0.02²) on
 * [0.05, 10] in bfloat16 the mean is 1.7 instead of 0.056. In more bits they are so where bounds are hundreds of std away (float32),
 * or millions (float64).
 */
export function inexactness(fill: Fill, dtype: Dtype, engine: Engine): string | undefined {
  if (engine !== 'torch' || fill.kind !== 'trunc_normal') return undefined;
  const { mean, std, a, b } = fill;
  const z = Math.max(a - mean, mean - b) / std;
  if (dtypes[dtype].bytes !== 2 && !(z > mostStds[dtype])) return undefined;
  if (normalCdf((b - mean) / std) - normalCdf((a - mean) / std) > 0.3) return undefined;
  return (
    `the distribution of values may be incorrect: no more than 30 % of N(${mean}, ${std}²) lies in [${a}, ${b}], where PyTorch, and ` +
    `so the engine torch, decides by logarithms rounded to ${dtype}, and takes too many values far from the mean. The engine ` +
    'philox is exact'
  );
}
