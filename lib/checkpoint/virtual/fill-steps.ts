import type { Steps } from '../../core/codes.js';
import { type StoredDtype, storedDtypes } from '../../core/stored-dtype.js';

/** Writes whole numbers from element `begin` on. */
export function fillSteps({ start, terms }: Steps, dtype: StoredDtype, bytes: Uint8Array, begin: number): void {
  const size = storedDtypes[dtype].bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i * size < bytes.length; i++) {
    let value = start;
    for (const { step, every, of = Number.POSITIVE_INFINITY } of terms)
      value += step * (Math.floor((begin + i) / every) % of);
    if (size === 8) view.setBigInt64(8 * i, BigInt(value), true);
    else view.setInt32(4 * i, value, true);
  }
}
