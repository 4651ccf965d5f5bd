import { expect, test } from 'vitest';
import { inverseRoot } from '../../lib/core/inverse-root.js';

const bits = new BigUint64Array(1);
const number = new Float64Array(bits.buffer);

/** A number as mantissa·2^-exponent. */
function parts(x: number): [mantissa: bigint, exponent: bigint] {
  number[0] = x;
  const word = bits[0] ?? 0n;
  return [(word & (2n ** 52n - 1n)) | (2n ** 52n), 1075n - (word >> 52n)];
}

/** Whether x·(y ± half of its last bit)ⁿ are on either side of 1. */
function isNearest(y: number, x: number, n: bigint): boolean {
  const [mantissa, exponent] = parts(y);
  const [factor, less] = parts(x);
  const one = 2n ** ((exponent + 1n) * n + less);
  const at = (odd: bigint): bigint => factor * (2n * mantissa + odd) ** n;
  return at(-1n) <= one && one <= at(1n);
}

test.each([2, 4] as const)('x^(-1/%i) is the nearest number there is', (n) => {
  const numbers = Array.from({ length: 20_000 }, (_, i) => i + 1);
  const more = numbers.slice(0, 2000).map((i) => (i * 0.7391) / 3 ** (i % 50));
  for (const x of [...numbers, ...more, 2 ** 53 - 1, 2 ** 100, 2 ** -100]) {
    if (!isNearest(inverseRoot(x, n), x, BigInt(n))) expect.unreachable(`${inverseRoot(x, n)} for ${x}`);
  }
});

// Python's n ** -0.5.
test.each([
  [1, 1],
  [4, 0.5],
  [32, 0.1767766952966369],
  [48, 0.14433756729740643],
  [512, 0.04419417382415922],
  [768, 0.03608439182435161],
  [2 ** 52, 2 ** -26],
  [4096, 0.015625],
  [10240, 0.009882117688026186],
])('%d^-½ is %d', (n, root) => expect(inverseRoot(n, 2)).toBe(root));
