import { expect, test } from 'vitest';
import { inverseSqrt } from '../../../lib/nn/families/inverse-sqrt.js';

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
])('%d^-½ is %d', (n, root) => expect(inverseSqrt(n)).toBe(root));

test('no double is nearer', () => {
  for (let n = 1; n < 3000; n++) {
    // The root is m / 2^e with whole m; n^-½ lies between the middles to its neighbours: 2m ± 1 over 2^(e + 1), squared.
    const e = 52 + Math.ceil(Math.log2(n) / 2);
    const m = BigInt(inverseSqrt(n) * 2 ** e);
    const one = 1n << BigInt(2 * e + 2);
    expect((2n * m - 1n) ** 2n * BigInt(n) <= one).toBe(true);
    expect((2n * m + 1n) ** 2n * BigInt(n) >= one).toBe(true);
  }
});
