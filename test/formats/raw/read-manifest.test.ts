import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareTensors } from '../../../lib/checkpoint/verify/verify.js';
import { writeTensors } from '../../../lib/checkpoint/write/write.js';
import { InputError } from '../../../lib/core/errors.js';
import { readHeaders } from '../../../lib/formats/reader.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { temporaryFolder } from '../../checkpoint/temporary.js';

const root = temporaryFolder();

const planned: readonly PlannedTensor[] = [
  { name: 'h.0.weight', shape: [7, 9], dtype: 'bfloat16', initializer: 'normal' },
  { name: '../up', shape: [], dtype: 'float64', initializer: 'uniform' },
  { name: '0', shape: [3], dtype: 'int64', initializer: 'zeros' },
  { name: '__proto__', shape: [0, 2], dtype: 'float32', initializer: 'normal' },
];
const tensors = resolvePlan({ tensors: planned });

async function written(name: string, format: 'npy' | 'raw'): Promise<string> {
  const folder = join(root.path, name);
  await writeTensors(folder, tensors, { keys: philoxKeys(3n), format });
  return folder;
}

test.each(['npy', 'raw'] as const)('%s files are compared byte for byte', async (format) => {
  const folder = await written(format, format);
  const checkpoint = await readHeaders(folder);
  expect([...checkpoint.tensors.keys()]).toEqual(planned.map(({ name }) => name));
  expect(checkpoint.files[0]?.metadata.get('nninit.seed')).toBe('3');
  expect((await readHeaders(join(folder, 'manifest.json'))).files).toEqual(checkpoint.files);
  const differences = async (seed: bigint) => {
    const { differences } = await compareTensors(checkpoint, tensors, { keys: philoxKeys(seed) });
    return differences.map(({ tensor, problem }) => [tensor, problem]);
  };
  expect(await differences(3n)).toEqual([]);
  expect(await differences(4n)).toEqual([
    ['h.0.weight', 'values'],
    ['../up', 'values'],
  ]);
});

test('files that are not as the manifest says are refused', async () => {
  const folder = await written('damaged', 'npy');
  const file = join(folder, 'h.0.weight.npy');
  const good = readFileSync(file);
  const refused = async (code: string, message: RegExp) => {
    await expect(readHeaders(folder)).rejects.toBeInstanceOf(InputError);
    await expect(readHeaders(folder)).rejects.toMatchObject({
      code,
      path: file,
      message: expect.stringMatching(message),
    });
  };
  truncateSync(file, good.length - 1);
  await refused('ERR_NNINIT_HEADER', /expected 254 bytes, but there are 253$/);
  writeFileSync(file, Buffer.from(good).fill('x', 20, 21));
  await refused('ERR_NNINIT_HEADER', /the head that numpy\.save writes/);
  rmSync(file);
  await refused('ERR_NNINIT_READ', /\(ENOENT\)$/);
});

test.each([
  ['no JSON', '{', /expected JSON/],
  ['another format', (text: string) => text.replace('"npy"', '"hdf5"'), /format: expected 'npy' or 'raw'/],
  ['no tensors', '{"format": "npy", "metadata": {}}', /tensors: expected an object, but it is missing/],
  [
    'a file elsewhere',
    (text: string) => text.replace('"0.npy"', '"../0.npy"'),
    /tensors\["0"\]\.file: expected the name/,
  ],
  [
    'a dtype of no kind',
    (text: string) => text.replace('"int64"', '"int65"'),
    /tensors\["0"\]\.dtype: expected one of/,
  ],
  ['a tensor twice', (text: string) => text.replace('"h.0.weight":', '"0":'), /expected each key once/],
  ['a size too large', (text: string) => text.replace('[3]', '[3e15]'), /is too large/],
  [
    'more dimensions than NumPy has',
    (text: string) => text.replace('[3]', `[${new Array(30_000).fill(1)}]`),
    /manifest\.json: tensor "0": expected at most 64 dimensions/,
  ],
] as const)('a manifest with %s is refused', async (name, change, message) => {
  const folder = await written(name.replaceAll(' ', '_'), 'npy');
  const path = join(folder, 'manifest.json');
  writeFileSync(path, typeof change === 'string' ? change : change(readFileSync(path, 'utf8')));
  await expect(readHeaders(folder)).rejects.toMatchObject({
    code: 'ERR_NNINIT_MANIFEST',
    path,
    message: expect.stringMatching(message),
  });
});

test('"bytes" that are not those of dtype and shape are refused, and need not be there', async () => {
  const folder = await written('bytes', 'raw');
  const path = join(folder, 'manifest.json');
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace('"bytes":126', '"bytes":127'));
  await expect(readHeaders(folder)).rejects.toMatchObject({
    code: 'ERR_NNINIT_MANIFEST',
    message: expect.stringMatching(
      /"h\.0\.weight": expected "bytes" of 126, as dtype and shape make, but received 127$/,
    ),
  });
  writeFileSync(path, text.replaceAll(/,"bytes":\d+/g, ''));
  expect((await readHeaders(folder)).tensors.size).toBe(4);
});
