import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { measureCheckpoint } from '../../lib/checkpoint/verify/statistics/compare.js';
import { compareTensors } from '../../lib/checkpoint/verify/verify.js';
import { writeTensors } from '../../lib/checkpoint/write/write.js';
import { type StoredDtype, storedBytes, storedElements, storedNames } from '../../lib/core/stored-dtype.js';
import { readHeaders } from '../../lib/formats/reader.js';
import { philoxKeys } from '../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../lib/plan/plan.js';
import { temporaryFolder } from '../checkpoint/temporary.js';
import { readSafetensors } from '../formats/reader.js';
import { loadSource } from '../plan/load-source.js';

const root = temporaryFolder();
const keys = philoxKeys(7n);

const zeros = (name: string, dtype: StoredDtype, shape: readonly number[]): PlannedTensor => {
  return { name, shape, dtype, initializer: 'zeros' };
};
const planned: readonly PlannedTensor[] = [
  zeros('flag', 'bool', [3]),
  zeros('four', 'float4_e2m1fn', [3, 50]),
  zeros('six', 'float6_e2m3fn', [5, 4]),
  zeros('six_too', 'float6_e3m2fn', [0, 3]),
  zeros('scale', 'float8_e8m0fnu', [5]),
  { name: 'w', shape: [7, 3], dtype: 'float32', initializer: 'normal' },
];
const tensors = resolvePlan({ tensors: planned });

test('bytes and elements are inverse to one another', () => {
  for (const dtype of storedNames) expect(storedElements(dtype, storedBytes(dtype, 12))).toBe(12);
  expect(storedBytes('float6_e2m3fn', 3)).toBe(2.25);
});

test.each([8, 24, undefined])(
  'elements of less than a byte are written packed, and like a checkpoint: %s',
  async (chunkBytes) => {
    const made = join(root.path, 'made');
    await writeTensors(made, tensors, { keys, chunkBytes });
    const file = join(made, 'model.safetensors');
    // The reference's order: the last of its enumeration first.
    const found = Array.from(readSafetensors(file).tensors, ([name, { dtype, bytes }]) => [name, dtype, bytes.length]);
    expect(found).toEqual([
      ['w', 'F32', 84],
      ['scale', 'F8_E8M0', 5],
      ['six_too', 'F6_E3M2', 0],
      ['six', 'F6_E2M3', 15],
      ['four', 'F4', 75],
      ['flag', 'BOOL', 3],
    ]);
    const like = await loadSource({ like: file, init: ['w=normal'] });
    const codes =
      'zeros, since float4_e2m1fn may be codes, which random values do not suit: a rule of the full name gives others';
    expect(like.warnings).toContain(`${file}: "four": ${codes}`);
    await writeTensors(join(root.path, 'like'), like.tensors, { keys, chunkBytes });
    const again = await readHeaders(join(root.path, 'like'));
    expect((await compareTensors(again, tensors, { keys, chunkBytes })).differences).toEqual([]);
    expect((await measureCheckpoint(again, tensors)).measured.every(({ consistent }) => consistent)).toBe(true);
  },
);

test.each([8, undefined])('an element of less than a byte that differs is named: %s', async (chunkBytes) => {
  await writeTensors(root.path, tensors, { keys });
  const path = join(root.path, 'model.safetensors');
  const file = readFileSync(path);
  const end = file.length - 3; // of `four`, of which element 149 is in the upper half of the last byte
  file[end - 1] = 0x90;
  file[end - 75 - 15 + 13] = 0b0001_0001; // elements 16 to 19 of `six`: bits 8 to 15 are of 17 and 18
  writeFileSync(path, file);
  const { differences } = await compareTensors(await readHeaders(path), tensors, { keys, chunkBytes });
  const values = (differing: number, element: number, index: number[], found: string) => {
    return { problem: 'values', differing, element, index, expected: '0x00', found };
  };
  expect(differences).toEqual([
    { tensor: 'six', elements: 20, ...values(2, 17, [4, 1], '0x04') },
    { tensor: 'four', elements: 150, ...values(1, 149, [2, 49], '0x09') },
  ]);
});

test('elements that leave a byte begun are refused', () => {
  expect(() => resolvePlan({ tensors: [zeros('x', 'float6_e2m3fn', [3, 3])] })).toThrow(
    'plan: tensor "x": expected whole bytes, but [3,3] of float6_e2m3fn takes 6.75',
  );
});

test('raw files hold them, .npy files do not, and say so', async () => {
  await writeTensors(join(root.path, 'raw'), tensors, { keys, format: 'raw' });
  const checkpoint = await readHeaders(join(root.path, 'raw'));
  expect((await compareTensors(checkpoint, tensors, { keys })).differences).toEqual([]);
  await expect(writeTensors(join(root.path, 'npy'), tensors, { keys, format: 'npy' })).rejects.toThrow(
    'tensor "four": expected elements of whole bytes in .npy files, but received float4_e2m1fn: write safetensors or raw ' +
      'files, or give the tensor another dtype',
  );
  expect(readdirSync(root.path)).toEqual(['raw']);
});
