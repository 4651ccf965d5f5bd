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
 * @param elementBytes the size of one: a half where two share a byte, of which the first is in the lower half
 */
export function clearZeroRow(tensor: Padded, bytes: Uint8Array, begin: number, elementBytes: number): void {
  const count = bytes.length / elementBytes;
  const within = (at: number) => Math.min(count, Math.max(0, at - begin)) * elementBytes;
  const [from, to] = zeroRowRange(tensor).map(within) as [number, number];
  if (from === to) return;
  const [first, last] = [Math.ceil(from), Math.floor(to)];
  if (first > from) bytes[first - 1] = (bytes[first - 1] as number) & 0x0f; // the other half is the row's before
  bytes.fill(0, first, last);
  if (last < to) bytes[last] = (bytes[last] as number) & 0xf0;
}
