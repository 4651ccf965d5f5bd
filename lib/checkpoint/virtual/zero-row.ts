import { elementsOf } from '../../core/shape.js';
import type { Slice } from '../../tensor/slice.js';

/** A tensor of which one row is zero whatever its initializer says: an embedding's padding. */
export interface Padded {
  /** The shape of what is written: the slice's, where there is one. */
  readonly shape: readonly number[];
  /** An index of the whole tensor's first dimension. */
  readonly zeroRow?: number | undefined;
  readonly slice?: Slice | undefined;
}

/** The elements [begin, end) of a tensor's zero row, counted in what is written; none at its beginning if it has none. */
export function zeroRowRange({ zeroRow, shape, slice }: Padded): [begin: number, end: number] {
  if (zeroRow === undefined) return [0, 0];
  const row = zeroRow - (slice?.ranges.find(({ dim }) => dim === 0)?.start ?? 0);
  const [rows = 0, ...others] = shape;
  if (row < 0 || row >= rows) return [0, 0];
  const width = elementsOf(others);
  return [row * width, (row + 1) * width];
}

/**
 * Zeroes what lies in a tensor's zero row, if it has one, of the elements from `begin` on that `bytes` holds.
 *
 * @param bytes whole elements of what is written of the tensor
 * @param begin index of the first one
 * @param elementBytes the size of one
 */
export function clearZeroRow(tensor: Padded, bytes: Uint8Array, begin: number, elementBytes: number): void {
  const [from, to] = zeroRowRange(tensor).map((at) => Math.max(0, at - begin)) as [number, number];
  bytes.fill(0, from * elementBytes, to * elementBytes); // fill itself stops at the end
}
