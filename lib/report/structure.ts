import type { TensorData } from '../core/dtype.js';
import type { OrthogonalFill, SparseFill } from '../core/fill.js';
import { isFillable } from '../core/stored-dtype.js';
import { widen } from '../native/addon.js';
import type { ResolvedTensor } from '../plan/plan.js';

/** What the elements of a matrix are to one another. */
export type Structure =
  | {
      readonly kind: 'orthogonal';
      /** The largest element of QᵀQ - I, or of QQᵀ - I where rows are fewer; Q is the matrix without its gain. */
      readonly deviation: number;
      /** Between these lie all singular values of Q (Gershgorin's circles). */
      readonly singular: readonly [number, number];
    }
  | {
      readonly kind: 'sparse';
      /** The fewest and the most zeros of a column, and how many there are to be. */
      readonly zeros: readonly [number, number];
      readonly expected: number;
    };

/** Larger matrices are not looked at: memory, and multiplications. */
const mostElements = 2 ** 22;
const mostProducts = 2 ** 29;

/** Takes a whole matrix in, and says what its structure is. */
export class StructureGauge {
  readonly #fill: OrthogonalFill | SparseFill;
  readonly #values: Float64Array;
  #filled = 0;

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
    this.#values = new Float64Array(elements);
  }

  add(values: TensorData, dtype: string): void {
    let wide: Float32Array | Float64Array;
    if (values instanceof Uint16Array) {
      wide = new Float32Array(values.length);
      widen(values, dtype as 'float16' | 'bfloat16', wide);
    } else {
      wide = values;
    }
    this.#values.set(wide, this.#filled);
    this.#filled += wide.length;
  }

  result(): Structure | undefined {
    if (this.#filled !== this.#values.length) return undefined;
    return this.#fill.kind === 'sparse' ? sparsity(this.#values, this.#fill) : orthogonality(this.#values, this.#fill);
  }
}

function sparsity(values: Float64Array, { rows, cols, zeros }: SparseFill): Structure {
  let [least, most] = [rows, 0];
  for (let c = 0; c < cols; c++) {
    let count = 0;
    for (let r = 0; r < rows; r++) if (values[r * cols + c] === 0) count += 1;
    [least, most] = [Math.min(least, count), Math.max(most, count)];
  }
  return { kind: 'sparse', zeros: [least, most], expected: zeros };
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
  let deviation = 0;
  for (let i = 0; i < count; i++) {
    for (let j = i; j < count; j++) {
      let product = i === j ? -1 : 0;
      for (let k = 0; k < length; k++)
        product += (vectors[i * length + k] as number) * (vectors[j * length + k] as number);
      const size = Math.abs(product);
      deviation = Math.max(deviation, size);
      off[i] = (off[i] as number) + size;
      if (j > i) off[j] = (off[j] as number) + size;
    }
  }
  const radius = off.reduce((most, each) => Math.max(most, each), 0);
  return { kind: 'orthogonal', deviation, singular: [Math.sqrt(Math.max(0, 1 - radius)), Math.sqrt(1 + radius)] };
}
