/**
 * The eigenvalues of a symmetric matrix, in no order: Householder's reflections to three diagonals, and QL with implicit shifts (Golub & Van Loan, Matrix
 * Computations, 8.3).
 *
 * @param a n × n, of which the lower triangle is read and overwritten
 */
export function eigenvalues(a: Float64Array, n: number): Float64Array {
  const { diagonal, beside } = threeDiagonals(a, n);
  for (let first = 0; first < n; first++) {
    for (let step = 0; step < 60; step++) {
      // The block that begins here ends where what is beside the diagonal is nothing.
      let last = first;
      while (last < n - 1 && !isNothing(diagonal, beside, last)) last += 1;
      if (last === first) break;
      rotate(diagonal, beside, first, last);
    }
  }
  return diagonal;
}

function isNothing(diagonal: Float64Array, beside: Float64Array, i: number): boolean {
  const scale = Math.abs(diagonal[i] as number) + Math.abs(diagonal[i + 1] as number);
  return scale + Math.abs(beside[i] as number) === scale;
}

/** One QL step on the rows from first to last. */
function rotate(diagonal: Float64Array, beside: Float64Array, first: number, last: number): void {
  const e = beside[first] as number;
  const half = ((diagonal[first + 1] as number) - (diagonal[first] as number)) / (2 * e);
  const root = Math.hypot(half, 1);
  let g = (diagonal[last] as number) - (diagonal[first] as number) + e / (half + (half < 0 ? -root : root));
  let [sine, cosine, shift] = [1, 1, 0];
  for (let i = last - 1; i >= first; i--) {
    const [f, b] = [sine * (beside[i] as number), cosine * (beside[i] as number)];
    const length = Math.hypot(f, g);
    beside[i + 1] = length;
    if (length === 0) {
      diagonal[i + 1] = (diagonal[i + 1] as number) - shift;
      beside[last] = 0;
      return;
    }
    [sine, cosine] = [f / length, g / length];
    g = (diagonal[i + 1] as number) - shift;
    const turned = ((diagonal[i] as number) - g) * sine + 2 * cosine * b;
    shift = sine * turned;
    diagonal[i + 1] = g + shift;
    g = cosine * turned - b;
  }
  diagonal[first] = (diagonal[first] as number) - shift;
  beside[first] = g;
  beside[last] = 0;
}

function threeDiagonals(a: Float64Array, n: number) {
  const [diagonal, beside] = [new Float64Array(n), new Float64Array(n)];
  const at = (i: number, j: number) => a[i * n + j] as number;
  const [v, w] = [new Float64Array(n), new Float64Array(n)];
  for (let k = 0; k < n - 1; k++) {
    diagonal[k] = at(k, k);
    let square = 0;
    for (let i = k + 1; i < n; i++) square += at(i, k) ** 2;
    const length = Math.sqrt(square);
    const first = at(k + 1, k);
    const target = first > 0 ? -length : length;
    beside[k] = target;
    const scale = length * (length + Math.abs(first)); // vᵀv / 2
    if (scale === 0) continue;
    for (let i = k + 1; i < n; i++) v[i] = at(i, k) - (i === k + 1 ? target : 0);
    // A ← A - v·wᵀ - w·vᵀ on what remains, of which the lower triangle is kept.
    w.fill(0, k + 1);
    for (let i = k + 1; i < n; i++) {
      const row = i * n;
      let sum = 0;
      for (let j = k + 1; j < i; j++) {
        sum += (a[row + j] as number) * (v[j] as number);
        w[j] = (w[j] as number) + (a[row + j] as number) * (v[i] as number);
      }
      w[i] = (w[i] as number) + sum + (a[row + i] as number) * (v[i] as number);
    }
    let product = 0;
    for (let i = k + 1; i < n; i++) {
      w[i] = (w[i] as number) / scale;
      product += (w[i] as number) * (v[i] as number);
    }
    const along = product / (2 * scale);
    for (let i = k + 1; i < n; i++) w[i] = (w[i] as number) - along * (v[i] as number);
    for (let i = k + 1; i < n; i++) {
      const [row, vi, wi] = [i * n, v[i] as number, w[i] as number];
      for (let j = k + 1; j <= i; j++)
        a[row + j] = (a[row + j] as number) - vi * (w[j] as number) - wi * (v[j] as number);
    }
  }
  diagonal[n - 1] = at(n - 1, n - 1);
  return { diagonal, beside };
}
