import type { Fill } from '../core/fill.js';
import { type Encoding, type Grid, grids } from '../core/grid.js';
import { addon, type PhiloxKey, requestFor } from './addon.js';

const numbers = new Float64Array(4);

function write({ factor, low, high, zero }: Encoding): Float64Array {
  numbers[0] = factor;
  numbers[1] = low;
  numbers[2] = high;
  numbers[3] = zero;
  return numbers;
}

/**
 * Writes the codes of elements from `begin` on of a fill of float32, in the engine philox: as many as `out` holds.
 *
 * @param begin even where codes are of 4 bits; not for whole-matrix fills
 * @param threads native threads; 0 for the number that set_num_threads set
 * @returns false if it was cancelled
 */
export function fillCodes(
  out: Uint8Array,
  encoding: Encoding,
  fill: Fill,
  key: PhiloxKey,
  begin: number,
  threads: number,
  cancel?: Int32Array,
): boolean {
  const request = requestFor('float32', fill);
  request.writeKey(key);
  request.writeRange(begin, threads, undefined);
  return addon().fillCodes(out, grids[encoding.grid].code, write(encoding), cancel);
}

/**
 * Finite values to codes.
 *
 * @param out as codes are stored, or with `apart` one a byte
 */
export function encode(values: Float32Array, encoding: Encoding, out: Uint8Array, apart = false): void {
  addon().encode(values, grids[encoding.grid].code, write(encoding), out, apart);
}

/** Stored codes to the grid's values, exactly; a zero point is left in. */
export function decode(codes: Uint8Array, grid: Grid, out: Float32Array): void {
  addon().decode(codes, grids[grid].code, out);
}

/**
 * Packs words of eight 4-bit codes that lie apart, or of four of 8 bits.
 *
 * @param codes one a byte
 * @param layout rows, and words a row; steps from row to row and from word to word, in codes, and from row to row in `out`; the bits of a
 *   code; the places of a word's codes, eight numbers
 */
export function packWords(codes: Uint8Array, layout: Float64Array, out: Uint32Array): void {
  addon().packWords(codes, layout, out);
}
