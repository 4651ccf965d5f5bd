import type { Parameters } from 'fast-check';
import { expect } from 'vitest';

/** How many inputs a property is tried with: so many in the tests, and as many as there is time for by `scripts/fuzz` (NNINIT_FUZZ_MS). */
export function fuzzed<T>(runs: number): Parameters<T> {
  const time = process.env.NNINIT_FUZZ_MS;
  return time === undefined ? { numRuns: runs } : { numRuns: 2 ** 31 - 1, interruptAfterTimeLimit: Number(time) };
}

/** What a property is about must come up more than `least` times, or it could not fail; not where time says how many inputs there are: a busy machine tries few. */
export function expectOften(count: number | undefined, least: number): void {
  if (process.env.NNINIT_FUZZ_MS === undefined) expect(count).toBeGreaterThan(least);
}
