// What comes of each dtype of a file, whoever wrote it: as memory that is read, and as text of an element that differs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { elementText, hexText, unpacked } from '../../../lib/checkpoint/verify/value.js';
import { openCheckpoint } from '../../../lib/checkpoint.js';
import { type StoredDtype, storedBytes, storedDtypes, storedNames } from '../../../lib/core/stored-dtype.js';
import { entry, fileOf } from '../../formats/safetensors/header-file.js';
import { temporaryFolder } from '../temporary.js';

const root = temporaryFolder();

/** A tensor of twelve elements, three by four, whose bytes count from 1. */
async function opened(dtype: StoredDtype) {
  const bytes = storedBytes(dtype, 12);
  const file = fileOf(`{"t":${entry(storedDtypes[dtype].tag, '[3,4]', `[0,${bytes}]`)}}`, bytes);
  for (let i = 0; i < bytes; i++) file[file.length - bytes + i] = i + 1;
  const path = join(root.path, 'x.safetensors');
  writeFileSync(path, file);
  return { checkpoint: await openCheckpoint(path), bytes: file.subarray(-bytes) };
}

const held: { readonly [D in StoredDtype]?: { readonly name: string } } = {
  ...{ float32: Float32Array, float64: Float64Array, float16: Uint16Array, bfloat16: Uint16Array },
  ...{ int8: Int8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array },
  ...{ int64: BigInt64Array, uint64: BigUint64Array, complex64: Float32Array },
};

test.each(storedNames)('%s is read into memory as its bytes stand in the file, and by slices', async (dtype) => {
  const { checkpoint, bytes } = await opened(dtype);
  const { data, shape } = await checkpoint.read('t');
  expect([data.constructor.name, shape]).toEqual([(held[dtype] ?? Uint8Array).name, [3, 4]]);
  expect(Buffer.from(data.buffer)).toEqual(bytes);
  const slice = [{ dim: 1, start: 1, length: 2 }];
  const part = checkpoint.read('t', { slice });
  if (storedDtypes[dtype].pack === 1) {
    const size = bytes.length / 12;
    const rows = [0, 1, 2].map((row) => bytes.subarray((4 * row + 1) * size, (4 * row + 3) * size));
    const { data, shape } = await part;
    expect([data.constructor.name, shape]).toEqual([(held[dtype] ?? Uint8Array).name, [3, 2]]);
    expect(Buffer.from(data.buffer)).toEqual(Buffer.concat(rows));
  } else {
    await expect(part).rejects.toThrow(`expected no slice of ${dtype}, whose elements are less than a byte, for slice`);
  }
  await checkpoint.close();
});

test('reads under way end before the files are closed', async () => {
  const { checkpoint, bytes } = await opened('uint8');
  const reading = [checkpoint.read('t'), checkpoint.read('t', { slice: [{ dim: 0, start: 2, length: 1 }] })];
  await checkpoint.close();
  const read = await Promise.all(reading);
  expect(read.map(({ data }) => Buffer.from(data.buffer))).toEqual([bytes, bytes.subarray(-4)]);
});

test.each<[StoredDtype, string, string]>([
  ['float64', 'fca9f1d24d62503f', '0.001'],
  ['float32', 'cdcccc3d', '0.1'],
  ['float32', '0000c07f', 'NaN'],
  ['float16', 'ffbb', '-0.99951'],
  ['bfloat16', '803f', '1'],
  ['bool', '00', 'false'],
  ['bool', '01', 'true'],
  ['uint8', 'fe', '254'],
  ['int8', 'fe', '-2'],
  ['uint16', 'feff', '65534'],
  ['int16', 'feff', '-2'],
  ['uint32', 'feffffff', '4294967294'],
  ['int32', 'feffffff', '-2'],
  ['uint64', 'feffffffffffffff', '18446744073709551614'],
  ['int64', 'feffffffffffffff', '-2'],
  ['float8_e4m3fn', '3a', '0x3a'],
  ['complex64', '0102030405060708', '0x0807060504030201'],
])('an element of %s with the bytes %s is shown as %s', (dtype, bytes, text) => {
  // Within other bytes, as it stands in a file.
  const around = Buffer.from(`ff${bytes}ff`, 'hex');
  expect(elementText(around.subarray(1, -1), dtype)).toBe(text);
});

test('elements of less than a byte are told apart, the first in the lowest bits', () => {
  expect([...unpacked(Uint8Array.of(0x21, 0xf3), 'float4_e2m1fn')]).toEqual([1, 2, 3, 15]);
  const six = 1 | (2 << 6) | (63 << 12) | (33 << 18);
  expect([...unpacked(Uint8Array.of(six, six >> 8, six >> 16), 'float6_e2m3fn')]).toEqual([1, 2, 63, 33]);
  expect(hexText(Uint8Array.of(1, 0xab))).toBe('0xab01');
});
