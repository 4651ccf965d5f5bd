import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type WriteOptions, writeTensors } from '../../../lib/checkpoint/write/write.js';
import { InputError } from '../../../lib/core/errors.js';
import { encodeName, fileNames } from '../../../lib/formats/raw/names.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { readSafetensors } from '../../formats/reader.js';
import { contentOf, temporaryFolder } from '../temporary.js';

const root = temporaryFolder();

const planned: readonly PlannedTensor[] = [
  { name: 'h.0.weight', shape: [40, 30], dtype: 'bfloat16', initializer: 'normal' },
  { name: '../../etc/passwd', shape: [7], dtype: 'float32', initializer: 'uniform' },
  { name: '__proto__', shape: [], dtype: 'float64', initializer: 'normal' },
  { name: '7', shape: [0, 4], dtype: 'float16', initializer: 'normal' },
  { name: 'q', shape: [30, 30], dtype: 'float32', initializer: 'orthogonal' },
];

async function write(folder: string, options: Partial<WriteOptions> = {}, tensors = planned) {
  return writeTensors(folder, resolvePlan({ tensors }), { keys: philoxKeys(7n), ...options });
}

test.each([
  ['npy', '.npy'],
  ['raw', '.bin'],
] as const)(
  '%s: a file for each tensor, with the bytes of the safetensors file, and a manifest',
  async (format, extension) => {
    const { tensors: whole } = readSafetensors((await write(join(root.path, 'one'))).path);
    const folder = join(root.path, format);
    const written = await write(folder, { format, config: '{}', chunkBytes: 512, workers: 2 });
    expect(written).toMatchObject({ path: join(folder, 'manifest.json'), format, files: 5, tensors: 5 });
    expect(readdirSync(folder).sort()).toEqual(
      ['config.json', 'manifest.json', 'h.0.weight', '%2E.%2F..%2Fetc%2Fpasswd', '__proto__', '7', 'q']
        .map((name) => (name.endsWith('.json') ? name : name + extension))
        .sort(),
    );
    const text = readFileSync(written.path, 'utf8');
    const manifest = JSON.parse(text);
    expect(manifest).toMatchObject({ format, metadata: { 'nninit.seed': '7', 'nninit.engine': 'philox' } });
    expect(text.match(/^ {4}"[^"]+": \{"file"/gm)).toHaveLength(5);
    for (const [name, { dtype, bytes }] of whole) {
      const { file, shape } = Object.getOwnPropertyDescriptor(manifest.tensors, name)?.value ?? {};
      expect(decodeURIComponent(file)).toBe(name + extension);
      const found = readFileSync(join(folder, file));
      expect(found.subarray(found.length - bytes.length).equals(bytes)).toBe(true);
      expect(found.length - bytes.length).toBe(format === 'npy' ? 128 : 0);
      expect(shape, dtype).toEqual(planned.find((tensor) => tensor.name === name)?.shape);
    }
  },
);

test('what is there is refused, and with force replaced, files that are no longer needed removed', async () => {
  const folder = join(root.path, 'npy');
  await write(folder, { format: 'npy' });
  writeFileSync(join(folder, 'mine.npy'), 'mine');
  const before = contentOf(folder);
  await expect(write(folder, { format: 'npy' })).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(write(folder, { format: 'raw' })).rejects.toMatchObject({ code: 'EEXIST' });
  expect(contentOf(folder)).toEqual(before);
  await write(folder, { format: 'npy', force: true }, planned.slice(1));
  const { 'h.0.weight.npy': _, 'manifest.json': __, ...others } = before;
  expect(contentOf(folder)).toMatchObject(others);
  expect(readdirSync(folder)).not.toContain('h.0.weight.npy');
  await write(folder, { format: 'raw', force: true }, planned.slice(0, 1));
  expect(readdirSync(folder)).toEqual(['h.0.weight.bin', 'manifest.json', 'mine.npy']);
});

test('a folder holds a checkpoint in one format only, and what is not a checkpoint stays', async () => {
  const folder = join(root.path, 'formats');
  mkdirSync(folder);
  writeFileSync(join(folder, 'manifest.json'), '{"name": "an app", "tensors": {}}');
  await write(folder);
  expect(readdirSync(folder)).toEqual(['manifest.json', 'model.safetensors']);
  for (const format of ['npy', 'raw'] as const) {
    await expect(write(folder, { format })).rejects.toMatchObject({ code: 'EEXIST' });
    await write(folder, { format, force: true }, planned.slice(0, 1));
    expect(readdirSync(folder)).toEqual([`h.0.weight.${format === 'raw' ? 'bin' : 'npy'}`, 'manifest.json']);
  }
  await expect(write(folder, { maxShardSize: 9000 })).rejects.toMatchObject({ code: 'EEXIST' });
  await write(folder, { force: true, maxShardSize: 1e9 });
  expect(readdirSync(folder)).toEqual(['model.safetensors']);
});

test('files without a head are only trusted where a journal or the manifest says whose they are', async () => {
  const folder = join(root.path, 'raw');
  await write(folder, { format: 'raw' });
  const before = contentOf(folder);
  await write(folder, { format: 'raw', resume: true }); // all is there
  expect(contentOf(folder)).toEqual(before);
  await expect(write(folder, { format: 'raw', resume: true, keys: philoxKeys(8n) })).rejects.toMatchObject({
    code: 'EEXIST',
  });
  rmSync(join(folder, 'manifest.json'));
  await expect(write(folder, { format: 'raw', resume: true })).rejects.toThrow(/from another plan, seed or version/);
});

test('names stay inside the folder, and come back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
      const encoded = encodeName(name);
      expect(encoded).toMatch(/^[A-Za-z0-9_%-][A-Za-z0-9._%-]*$/);
      expect(decodeURIComponent(encoded)).toBe(name);
    }),
  );
  expect(encodeName('..')).toBe('%2E.');
  expect(encodeName('a/b\\c:d')).toBe('a%2Fb%5Cc%3Ad');
  expect(encodeName('con.weight')).toBe('%63on.weight');
  expect(encodeName('convolution')).toBe('convolution');
  expect(encodeName('LPT1')).toBe('%4CPT1');
});

test.each([
  [[''], /can be a file's/],
  [['x'.repeat(201)], /at most 200 bytes .* takes 201/],
  [['ü'.repeat(40)], /takes 240/],
  [['Weight', 'weight'], /"Weight" and "weight" differ only in upper and lower case/],
])('names that cannot be files are refused: %j', (names, message) => {
  expect(() => fileNames(names, '.npy')).toThrow(InputError);
  expect(() => fileNames(names, '.npy')).toThrow(message);
});
