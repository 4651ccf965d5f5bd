/** Fixed point with 120 bits behind the point: more than twice a double's 53. */
const bits = 120n;

/**
 * n^-½, rounded once, as C's pow gives it; 1 / Math.sqrt(n) rounds twice and V8's `n ** -0.5` is off in the last bit too, so that
 * values would differ from the reference's in theirs.
 *
 * @param n a whole number ≥ 1
 */
export function inverseSqrt(n: number): number {
  const square = (1n << (2n * bits)) / BigInt(n);
  let root = BigInt(Math.round(2 ** Number(bits) / Math.sqrt(n)));
  for (let step = 0; step < 3; step++) root = (root + square / root) >> 1n; // each doubles the digits: 52, 104, all
  return Number(root) / 2 ** Number(bits);
}
