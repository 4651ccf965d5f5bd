import { expect, test } from 'vitest';
import { InputError } from '../../../lib/core/errors.js';
import { npyHead } from '../../../lib/formats/npy/header.js';

// Recorded from numpy.save of NumPy 2.3 (and ml_dtypes' bfloat16).
test.each([
  ['float32', [2, 3], "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 128],
  ['float32', [], "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 128],
  ['bool', [3], "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", 128],
  ['bfloat16', [2, 3], "{'descr': '<V2', 'fortran_order': False, 'shape': (2, 3), }", 128],
  ['float8_e4m3fn', [2, 3], "{'descr': '<V1', 'fortran_order': False, 'shape': (2, 3), }", 128],
] as const)('the head of %s %j is as NumPy writes it', (dtype, shape, text, length) => {
  const head = Buffer.from(npyHead(dtype, shape));
  expect(head.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
  expect(head.readUInt16LE(8)).toBe(length - 10);
  expect(head.subarray(10).toString('latin1')).toBe(`${text.padEnd(length - 11)}\n`);
});

test('a long shape takes another 64 bytes', () => {
  const head = npyHead('float64', [100000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]);
  expect(head.length % 64).toBe(0);
  expect(Buffer.from(head).toString('latin1').trimEnd()).toMatch(/\(100000, 1000, .*\), \}$/);
});

test('more dimensions than NumPy has are refused', () => {
  const sizes = new Array<number>(64).fill(2 ** 52);
  expect(Buffer.from(npyHead('float32', sizes)).readUInt16LE(8)).toBe(npyHead('float32', sizes).length - 10);
  for (const n of [65, 30_000]) {
    const refused = `expected at most 64 dimensions in .npy files, which is NumPy's limit, but there are ${n}`;
    expect(() => npyHead('float32', new Array<number>(n).fill(1))).toThrow(InputError);
    expect(() => npyHead('float32', new Array<number>(n).fill(1))).toThrow(refused);
  }
});
