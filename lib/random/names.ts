import { rangeError, typeError } from '../core/check.js';

/** The names of the engines. */
export const engineNames = ['philox', 'torch'] as const;

/**
 * The engines of random bits: 'philox' is Philox4x32-10, the stream of `docs/streams.md`; 'torch' is PyTorch's CPU generator, MT19937,
 * whose values are those of the same calls in PyTorch (`docs/torch-engine.md`).
 */
export type Engine = (typeof engineNames)[number];

const limit = 2n ** 64n;

/** A seed as a caller gives it, in [0, 2^64): a negative n means n + 2^64. */
export function checkSeed(fn: string, seed: unknown): bigint {
  const what = 'an integer in [-2^63, 2^64)';
  if (typeof seed === 'number') {
    if (Number.isSafeInteger(seed)) return BigInt.asUintN(64, BigInt(seed));
    const inexact = Number.isInteger(seed) ? 'a number this large is not exact: write it as a bigint' : undefined;
    throw rangeError(fn, 'seed', what, seed, inexact);
  }
  if (typeof seed !== 'bigint') throw typeError(fn, 'seed', what, seed);
  if (seed < -(2n ** 63n) || seed >= limit) throw rangeError(fn, 'seed', what, seed);
  return BigInt.asUintN(64, seed);
}
