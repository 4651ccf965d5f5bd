/** Steps of a chain, of which each waits for the one before: long enough to be timed, and short beside any interruption. */
const turns = 10_000;
const stepsEach = 8;
/** A rotation and an exclusive or, a cycle each, on every core of today. */
const cyclesEach = 2;
const key = 0x9e3779b9 | 0;

/** Cycles that one call of `chain` takes, however high the core is clocked. */
export const chainCycles = turns * stepsEach * cyclesEach;

let state = 1;

/** Takes `chainCycles` cycles: its time says how high the core is clocked, which no system tells well, a virtual one least of all. */
export function chain(): number {
  let x = state;
  for (let i = 0; i < turns; i++) {
    x = ((x << 7) | (x >>> 25)) ^ key;
    x = ((x << 7) | (x >>> 25)) ^ key;
    x = ((x << 7) | (x >>> 25)) ^ key;
    x = ((x << 7) | (x >>> 25)) ^ key;
    x = ((x << 7) | (x >>> 25)) ^ key;
    x = ((x << 7) | (x >>> 25)) ^ key;
    x = ((x << 7) | (x >>> 25)) ^ key;
    x = ((x << 7) | (x >>> 25)) ^ key;
  }
  state = x;
  return x;
}
