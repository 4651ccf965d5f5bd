import type { Steps } from '../../core/codes.js';
import { type StoredDtype, storedDtypes } from '../../core/stored-dtype.js';

/** Writes whole numbers from element `begin` on. */
export function fillSteps({ start, step, every }: Steps, dtype: StoredDtype, bytes: Uint8Array, begin: number): void {
  const size = storedDtypes[dtype].bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i * size < bytes.length; i++) {
    const value = start + step * Math.floor((begin + i) / every);
    if (size === 8) view.setBigInt64(8 * i, BigInt(value), true);
    else view.setInt32(4 * i, value, true);
  }
}
