import { type StoredDtype, storedDtypes } from '../../core/stored-dtype.js';
import { widen } from '../../native/addon.js';

/** One element of a file, as text: a number, a boolean, or its bytes in hexadecimal where it is neither. */
export function elementText(bytes: Uint8Array, dtype: StoredDtype): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
  switch (dtype) {
    case 'float64':
      return number(view.getFloat64(0, true));
    case 'float32':
      return number(shortest(view.getFloat32(0, true)));
    case 'float16':
    case 'bfloat16': {
      const out = new Float32Array(1);
      widen(Uint16Array.of(view.getUint16(0, true)), dtype, out);
      const value = out[0] ?? 0;
      return number(value === 0 ? value : Number(value.toPrecision(5))); // whose text has no sign
    }
    case 'bool':
      return view.getUint8(0) === 0 ? 'false' : 'true';
    case 'uint8':
      return String(view.getUint8(0));
    case 'int8':
      return String(view.getInt8(0));
    case 'uint16':
      return String(view.getUint16(0, true));
    case 'int16':
      return String(view.getInt16(0, true));
    case 'uint32':
      return String(view.getUint32(0, true));
    case 'int32':
      return String(view.getInt32(0, true));
    case 'uint64':
      return String(view.getBigUint64(0, true));
    case 'int64':
      return String(view.getBigInt64(0, true));
    default:
      return hexText(bytes);
  }
}

/** An element's bytes as a number in hexadecimal. */
export function hexText(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).reverse().toString('hex')}`;
}

/** Elements of less than a byte, whole packs of them, as a byte each; the first is in the lowest bits. */
export function unpacked(bytes: Uint8Array, dtype: StoredDtype): Uint8Array {
  const { pack, bytes: size } = storedDtypes[dtype];
  const bits = (8 * size) / pack;
  const out = new Uint8Array((bytes.length / size) * pack);
  for (let i = 0; i < out.length; i++) {
    const bit = i * bits;
    const at = Math.floor(bit / 8);
    const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    out[i] = (word >> (bit % 8)) & (2 ** bits - 1);
  }
  return out;
}

/** The number of fewest digits that rounds to the same float32. */
function shortest(value: number): number {
  if (value === 0) return value; // with its sign
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Object.is(Math.fround(short), value)) return short;
  }
  return Number(value.toPrecision(9));
}
