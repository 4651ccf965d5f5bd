import type { TensorData } from '../core/dtype.js';
import type { OrthogonalFill, SparseFill } from '../core/fill.js';
import { isFillable } from '../core/stored-dtype.js';
import { widen } from '../native/addon.js';
import type { ResolvedTensor } from '../plan/plan.js';
import { eigenvalues } from './eigenvalues.js';

/** What the elements of a matrix are to one another. */
export type Structure =
  | {
      readonly kind: 'orthogonal';
      /** The largest element of QᵀQ - I, or of QQᵀ - I where rows are fewer; Q is the matrix without its gain. */
      readonly deviation: number;
      /** ‖QᵀQ - I‖, by Frobenius. */
      readonly norm: number;
      /** The least and the largest singular value of Q; where there is no spectrum, bounds of all (Gershgorin's circles). */
      readonly singular: readonly [number, number];
      /** All of them, the largest first; left out where there are more than 512. */
      readonly spectrum?: readonly number[];
    }
  | {
      readonly kind: 'sparse';
      /** The fewest and the most zeros of a column, and how many there are to be. */
      readonly zeros: readonly [number, number];
      /** How many columns have so many zeros, the fewest zeros first. */
      readonly columns: readonly { readonly zeros: number; readonly columns: number }[];
      readonly expected: number;
    };

/** Larger matrices are not looked at: memory, and multiplications. */
const mostElements = 2 ** 22;
const mostProducts = 2 ** 29;
/** Eigenvalues of larger ones take seconds. */
const mostSingular = 512;

/** Takes a whole matrix in, and says what its structure is. */
export class StructureGauge {
  readonly #fill: OrthogonalFill | SparseFill;
  readonly #elements: number;
  /** There while the tensor is looked at, and no longer. */
  #values: Float64Array | undefined;
  #filled = 0;
  #result: Structure | undefined;

  /** Undefined for tensors without such a structure, for parts of one, and for large ones. */
  static of({ fill, slice, dtype, elements, codes }: ResolvedTensor): StructureGauge | undefined {
    if (!(fill.kind === 'orthogonal' || fill.kind === 'sparse') || slice !== undefined || codes !== undefined)
      return undefined;
    if (!isFillable(dtype) || elements > mostElements) return undefined;
    const { rows, cols } = fill;
    if (
      fill.kind === 'orthogonal' &&
      (fill.gain === 0 || Math.min(rows, cols) ** 2 * Math.max(rows, cols) > mostProducts)
    )
      return undefined;
    return new StructureGauge(fill, elements);
  }

  private constructor(fill: OrthogonalFill | SparseFill, elements: number) {
    this.#fill = fill;
    this.#elements = elements;
  }

  add(values: TensorData, dtype: string): void {
    let wide: Float32Array | Float64Array;
    if (values instanceof Uint16Array) {
      wide = new Float32Array(values.length);
      widen(values, dtype as 'float16' | 'bfloat16', wide);
    } else {
      wide = values;
    }
    this.#values ??= new Float64Array(this.#elements);
    this.#values.set(wide, this.#filled);
    this.#filled += wide.length;
    if (this.#filled < this.#elements) return;
    this.#result =
      this.#fill.kind === 'sparse' ? sparsity(this.#values, this.#fill) : orthogonality(this.#values, this.#fill);
    this.#values = undefined;
  }

  /** Undefined where it was not seen whole. */
  result(): Structure | undefined {
    return this.#result;
  }
}

function sparsity(values: Float64Array, { rows, cols, zeros }: SparseFill): Structure {
  const found = new Map<number, number>();
  for (let c = 0; c < cols; c++) {
    let count = 0;
    for (let r = 0; r < rows; r++) if (values[r * cols + c] === 0) count += 1;
    found.set(count, (found.get(count) ?? 0) + 1);
  }
  const columns = Array.from(found, ([zeros, columns]) => ({ zeros, columns })).sort((a, b) => a.zeros - b.zeros);
  const [least = 0, most = 0] = [columns[0]?.zeros, columns.at(-1)?.zeros];
  return { kind: 'sparse', zeros: [least, most], columns, expected: zeros };
}

function orthogonality(values: Float64Array, { rows, cols, gain, stride, offset }: OrthogonalFill): Structure {
  const tall = rows >= cols;
  const [count, length] = tall ? [cols, rows] : [rows, cols];
  // The vectors that are to be orthonormal, one after another.
  const vectors = new Float64Array(count * length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      vectors[tall ? c * length + r : r * length + c] = (values[offset + (r * cols + c) * stride] as number) / gain;
    }
  }
  const off = new Float64Array(count); // sums of |QᵀQ - I| along its rows
  const gram = count <= mostSingular ? new Float64Array(count * count) : undefined;
  let [deviation, squares] = [0, 0];
  for (let i = 0; i < count; i++) {
    for (let j = i; j < count; j++) {
      let product = i === j ? -1 : 0;
      for (let k = 0; k < length; k++)
        product += (vectors[i * length + k] as number) * (vectors[j * length + k] as number);
      const size = Math.abs(product);
      squares += (i === j ? 1 : 2) * product * product;
      if (gram !== undefined) gram[j * count + i] = product + (i === j ? 1 : 0);
      deviation = Math.max(deviation, size);
      off[i] = (off[i] as number) + size;
      if (j > i) off[j] = (off[j] as number) + size;
    }
  }
  const norm = Math.sqrt(squares);
  if (gram !== undefined && Number.isFinite(norm)) {
    const spectrum = Array.from(eigenvalues(gram, count), (value) => Math.sqrt(Math.max(0, value))).sort(
      (a, b) => b - a,
    );
    return { kind: 'orthogonal', deviation, norm, singular: [spectrum.at(-1) ?? 1, spectrum[0] ?? 1], spectrum };
  }
  const radius = off.reduce((most, each) => Math.max(most, each), 0);
  const singular = [Math.sqrt(Math.max(0, 1 - radius)), Math.sqrt(1 + radius)] as const;
  return { kind: 'orthogonal', deviation, norm, singular };
}
