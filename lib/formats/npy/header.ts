import { InputError } from '../../core/errors.js';
import type { StoredDtype } from '../../core/stored-dtype.js';

/**
 * NumPy's names of the dtypes. It has no bfloat16 and no 8-bit floats: those are written as raw bytes of that size (V2, V1), as
 * numpy.save does with ml_dtypes' bfloat16; `.view(ml_dtypes.bfloat16)` makes them numbers again. Elements of less than a byte it cannot
 * pack.
 */
const descriptions: Readonly<Partial<Record<StoredDtype, string>>> = {
  bool: '|b1',
  uint8: '|u1',
  int8: '|i1',
  float8_e5m2: '<V1',
  float8_e4m3fn: '<V1',
  float8_e8m0fnu: '<V1',
  float8_e4m3fnuz: '<V1',
  float8_e5m2fnuz: '<V1',
  int16: '<i2',
  uint16: '<u2',
  float16: '<f2',
  bfloat16: '<V2',
  int32: '<i4',
  uint32: '<u4',
  float32: '<f4',
  complex64: '<c8',
  float64: '<f8',
  int64: '<i8',
  uint64: '<u8',
};

/** NumPy's arrays have no more dimensions. */
const mostDimensions = 64;

/** NumPy leaves room for the first dimension to grow to so many digits. */
const growthDigits = 21;

/**
 * The head of an .npy file, version 1.0, equal to numpy.save's; its length is a multiple of 64.
 *
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *
 * @throws InputError for elements of less than a byte, and for more than 64 dimensions
 */
export function npyHead(dtype: StoredDtype, shape: readonly number[]): Uint8Array {
  const description = descriptions[dtype];
  if (description === undefined) {
    const ways = 'write safetensors or raw files, or give the tensor another dtype';
    throw new InputError(`expected elements of whole bytes in .npy files, but received ${dtype}: ${ways}`);
  }
  if (shape.length > mostDimensions) {
    const what = `expected at most ${mostDimensions} dimensions in .npy files, which is NumPy's limit, but there are ${shape.length}`;
    throw new InputError(`${what}: write safetensors or raw files`);
  }
  const [first] = shape;
  const tuple = shape.length === 1 ? `(${first},)` : `(${shape.join(', ')})`;
  const growth = first === undefined ? '' : ' '.repeat(growthDigits - String(first).length);
  const text = `{'descr': '${description}', 'fortran_order': False, 'shape': ${tuple}, }${growth}`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const head = Buffer.alloc(length, ' ');
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(length - 10, 8);
  head.write(text, 10, 'latin1');
  head.write('\n', length - 1, 'latin1');
  return head;
}
