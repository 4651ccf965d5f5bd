import type { CodeOrder, Codes } from '../core/codes.js';
import { type Fill, isRandom, isWhole } from '../core/fill.js';
import { type Encoding, encodingOf, grids, isGrid } from '../core/grid.js';
import { elementsOf } from '../core/shape.js';
import type { StoredDtype } from '../core/stored-dtype.js';
import { isTorchKey, type Key } from '../native/addon.js';
import { encode, fillCodes, packWords } from '../native/codes.js';
import type { Slice } from '../tensor/slice.js';
import { runFillOfSlice } from './run-slice.js';

/** What fillOfCodes needs of a tensor. */
interface CodedTensor {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly slice?: Slice | undefined;
  readonly fill: Fill;
  readonly codes?: Codes | undefined;
}

/** Values that are made before they are encoded: 1 MiB of them. */
const valuesAtOnce = 2 ** 18;

/** How a weight's values become its codes. */
export function encodingOfCodes({ grid, scale, zero = 0, limit }: Codes): Encoding {
  const { low, high } = grids[grid];
  const factor = 1 / scale;
  return { grid, factor, low: limit === undefined ? low : -limit, high: limit ?? high, zero };
}

/**
 * Makes bytes [first, first + bytes.length) of a tensor of codes: draws the values, in float32, and encodes them.
 *
 * @param first of whole bytes; of words of four where the codes are not in the weight's order
 * @returns false if it was cancelled
 */
export function fillOfCodes(
  tensor: CodedTensor,
  bytes: Uint8Array,
  first: number,
  key: Key,
  threads: number,
  cancel?: Int32Array,
): boolean {
  const { codes, dtype, fill } = tensor;
  if (codes !== undefined && codes.order !== 'rows')
    return fillWords(tensor, codes, bytes, first, key, threads, cancel);
  if (codes === undefined && !isGrid(dtype)) throw new Error(`no codes in ${dtype}`);
  const encoding = codes === undefined ? encodingOf(dtype as keyof typeof grids, fill) : encodingOfCodes(codes);
  const aByte = 8 / grids[encoding.grid].bits;
  const { slice = { shape: codes?.shape ?? tensor.shape, ranges: [] } } = tensor;
  if (slice.ranges.length === 0 && !isWhole(fill) && !(isTorchKey(key) && isRandom(fill))) {
    const own = isTorchKey(key) ? { seed: 0n, stream: 0n } : key;
    return fillCodes(bytes, encoding, fill, own, first * aByte, threads, cancel);
  }
  return encodeDrawn(encoding, fill, bytes, first, (values, begin) =>
    runFillOfSlice(values, 'float32', fill, key, slice, begin, threads, cancel),
  );
}

/**
 * Draws values, some at a time, and encodes them to bytes [first, first + bytes.length).
 *
 * @param draw writes elements from `begin` on; false if it was cancelled
 * @returns false if it was cancelled
 */
export function encodeDrawn(
  encoding: Encoding,
  fill: Fill,
  bytes: Uint8Array,
  first: number,
  draw: (values: Float32Array, begin: number) => boolean,
): boolean {
  const aByte = 8 / grids[encoding.grid].bits;
  const step = isWhole(fill) ? bytes.length : valuesAtOnce / aByte;
  const values = new Float32Array(Math.min(bytes.length, step) * aByte);
  for (let at = 0; at < bytes.length; at += step) {
    const part = bytes.subarray(at, at + step);
    const drawn = values.subarray(0, part.length * aByte);
    if (!draw(drawn, (first + at) * aByte)) return false;
    encode(drawn, encoding, part);
  }
  return true;
}

/** Which of a word's outputs each of its codes is. */
const outputsOfWord: Readonly<Record<Exclude<CodeOrder, 'rows' | 'words'>, readonly number[]>> = {
  columns: [0, 1, 2, 3, 4, 5, 6, 7],
  interleaved: [0, 2, 4, 6, 1, 3, 5, 7],
};

/** Columns of the weight that are drawn together: two of the kernels' tiles, of which runs of less would waste most. */
const columnsAtOnce = 256;

/** A rectangle's values, which stay in the second-level cache until they are packed. */
const rectangle = 2 ** 17;

/**
 * Words whose codes do not follow one another in the weight, a rectangle of it at a time: rows of words are made of columns of values.
 *
 * @param first a multiple of 4
 */
function fillWords(
  { slice: given, fill }: CodedTensor,
  codes: Codes,
  bytes: Uint8Array,
  first: number,
  key: Key,
  threads: number,
  cancel: Int32Array | undefined,
): boolean {
  const { shape, order } = codes;
  const rank = shape.length;
  const [outputs = 0, inputs = 0] = shape.slice(-2);
  const { bits } = grids[codes.grid];
  // A row of words is made of so many columns of the weight, and a word of so many of its rows.
  const [columns, lines] = order === 'words' ? [32 / bits, 1] : [1, 32 / bits];
  const [rows, rowWords] = [inputs / columns, outputs / lines];
  const encoding = encodingOfCodes(codes);
  const out = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const whole = isWhole(fill);
  const rowsAtOnce = whole ? rows : columnsAtOnce / columns;
  let values = new Float32Array(0);
  let apart = new Uint8Array(0);
  for (let done = 0, count: number; done < out.length; done += count) {
    const word = first / 4 + done;
    const batch = Math.floor(word / (rows * rowWords));
    const row = Math.floor(word / rowWords) % rows;
    const column = word % rowWords;
    const left = out.length - done;
    // Whole rows, as far as the next tiles' end; or a part of one.
    const isPart = column > 0 || left < rowWords;
    const taken = isPart ? 1 : Math.min(rows - row, rowsAtOnce - (row % rowsAtOnce), Math.floor(left / rowWords));
    const width = isPart ? Math.min(rowWords - column, left) : rowWords;
    count = taken * width;
    const n = taken * columns;
    const step = whole ? width : Math.max(1, Math.floor(rectangle / (n * lines)));
    for (let at = 0; at < width; at += step) {
      const words = Math.min(step, width - at);
      const ranges = [
        ...shape.slice(0, -2).map((_, dim) => ({ dim, start: indexIn(shape, batch, dim), length: 1 })),
        { dim: rank - 2, start: (column + at) * lines, length: words * lines },
        { dim: rank - 1, start: row * columns, length: n },
      ];
      const size = words * lines * n;
      if (values.length < size) {
        values = new Float32Array(size);
        apart = new Uint8Array(size);
      }
      const drawn = values.subarray(0, size);
      if (!runFillOfSlice(drawn, 'float32', fill, key, within(given, shape, ranges), 0, threads, cancel)) return false;
      encode(drawn, encoding, apart.subarray(0, size), true);
      packWords(
        apart.subarray(0, size),
        layoutOf(order, bits, taken, words, n, width),
        out.subarray(done + at, done + count),
      );
    }
  }
  return true;
}

/** The index in a dimension before the last two of matrix number `batch`. */
function indexIn(shape: readonly number[], batch: number, dim: number): number {
  const size = shape[dim] ?? 1;
  return Math.floor(batch / elementsOf(shape.slice(dim + 1, -2))) % size;
}

/** Ranges of a part of a tensor, as ranges of the whole. */
function within(slice: Slice | undefined, shape: readonly number[], ranges: Slice['ranges']): Slice {
  if (slice === undefined) return { shape, ranges };
  const begins = new Map(slice.ranges.map(({ dim, start }) => [dim, start]));
  return {
    shape: slice.shape,
    ranges: ranges.map((range) => ({ ...range, start: range.start + (begins.get(range.dim) ?? 0) })),
  };
}

/** Where the codes of words lie in a rectangle whose lines have `n` values, and the words in rows of `width`. */
function layoutOf(order: CodeOrder, bits: number, rows: number, words: number, n: number, width: number): Float64Array {
  if (order === 'words')
    return Float64Array.of(
      rows,
      words,
      32 / bits,
      n,
      width,
      bits,
      ...Array.from({ length: 8 }, (_, k) => k % (32 / bits)),
    );
  const outputs = outputsOfWord[order as keyof typeof outputsOfWord];
  return Float64Array.of(rows, words, 1, 8 * n, width, bits, ...outputs.map((output) => output * n));
}
