import { expect, test } from 'vitest';
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
