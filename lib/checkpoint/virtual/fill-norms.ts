import type { Norms } from '../../core/codes.js';
import { dtypes, viewOf } from '../../core/dtype.js';
import { elementsOf } from '../../core/shape.js';
import { isFillable } from '../../core/stored-dtype.js';
import { fillRange, type Key, noKey } from '../../native/addon.js';
import { toFloat32Array } from '../../tensor/widen.js';
import type { FilledTensor } from './fill-part.js';

/** Elements of the other tensor that are drawn together, about. */
const atOnce = 2 ** 18;

/**
 * Writes lengths of columns from element `begin` on: draws the other tensor, some rows at a time, and sums squares in double.
 *
 * @param key the other tensor's
 * @returns false if it was cancelled
 */
export function fillNorms(
  { dtype, fill, elements }: Pick<FilledTensor, 'dtype' | 'fill' | 'elements'>,
  { shape, dtype: drawn = 'float32' }: Norms,
  bytes: Uint8Array,
  begin: number,
  key: Key,
  threads: number,
  cancel?: Int32Array,
): boolean {
  if (!isFillable(dtype)) throw new Error(`no lengths in ${dtype}`);
  const total = elementsOf(shape);
  const squares = new Float64Array(elements);
  const step = Math.max(1, Math.floor(atOnce / elements)) * elements;
  for (let at = 0; at < total; at += step) {
    const count = Math.min(step, total - at);
    const values = viewOf(drawn, new ArrayBuffer(count * dtypes[drawn].bytes), 0, count);
    if (!fillRange(values, drawn, fill, key, at, threads, cancel)) return false;
    const wide =
      values instanceof Float64Array ? values : toFloat32Array({ data: values, shape: [count], dtype: drawn });
    for (const [i, x] of wide.entries()) {
      squares[i % elements] = (squares[i % elements] ?? 0) + x * x;
    }
  }
  const { bytes: size } = dtypes[dtype];
  for (let i = 0; i * size < bytes.length; i++) {
    const value = Math.sqrt(squares[begin + i] ?? 0);
    fillRange(
      viewOf(dtype, bytes.buffer, bytes.byteOffset + i * size, 1),
      dtype,
      { kind: 'constant', value },
      noKey,
      0,
      1,
    );
  }
  return true;
}
