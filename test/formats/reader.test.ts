import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readHeaders } from '../../lib/formats/reader.js';
import { entry, fileOf } from './safetensors/header-file.js';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-reader-'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const made = mkdtempSync(join(root, 'folder-'));
  for (const [fileName, contents] of Object.entries(files)) writeFileSync(join(made, fileName), contents);
  return made;
}

const shard = (...names: string[]) => {
  const entries = names.map((each, i) => `${JSON.stringify(each)}:${entry('F32', '[2]', `[${8 * i},${8 * i + 8}]`)}`);
  return fileOf(`{${entries.join(',')}}`, 8 * names.length);
};
const indexName = 'model.safetensors.index.json';
const index = (weight_map: unknown) => JSON.stringify({ metadata: { total_size: 1 }, weight_map });

test('a checkpoint is a file, an index, or the folder of either', async () => {
  const single = folder({ 'model.safetensors': shard('a', 'b'), 'other.safetensors': shard('c'), 'config.json': '{}' });
  for (const each of [single, join(single, 'model.safetensors')]) {
    const { tensors, files, path } = await readHeaders(each);
    expect([...tensors.keys()]).toEqual(['a', 'b']);
    expect(files).toHaveLength(1);
    expect(path).toBe(join(single, 'model.safetensors'));
  }
  const sharded = folder({
    [indexName]: index({ b: '2.safetensors', a: '1.safetensors', c: '1.safetensors' }),
    '1.safetensors': shard('a', 'c'),
    '2.safetensors': shard('b'),
  });
  for (const each of [sharded, join(sharded, indexName)]) {
    const { tensors, files } = await readHeaders(each);
    expect([...tensors].map(([eachName, { file }]) => [eachName, file.path])).toEqual([
      ['a', join(sharded, '1.safetensors')],
      ['c', join(sharded, '1.safetensors')],
      ['b', join(sharded, '2.safetensors')],
    ]);
    expect(files).toHaveLength(2);
  }
  const namedOtherwise = folder({ 'diffusion.safetensors': shard('a'), '.x.safetensors.tmp': '' });
  expect((await readHeaders(namedOtherwise)).tensors.size).toBe(1);
});

test('a folder without a checkpoint or with several is refused', async () => {
  const refuse = (made: string) => expect(readHeaders(made)).rejects;
  const empty = folder({ 'pytorch_model.bin': '' });
  await refuse(empty).toMatchObject({
    code: 'ERR_NNINIT_CHECKPOINT',
    path: empty,
    message: expect.stringMatching(/there is no file \.safetensors and no manifest\.json$/),
  });
  const two = { 'a.safetensors': shard('a'), 'b.safetensors': shard('b') };
  await refuse(folder(two)).toThrow('there are 2: a.safetensors, b.safetensors; name the one you mean');
  const stale = { 'model.safetensors': shard('a'), [indexName]: index({ a: 'a.safetensors' }), ...two };
  await refuse(folder(stale)).toThrow(`there are 2: model.safetensors, ${indexName}`);
});

test('a shard that is all of its checkpoint needs no index', async () => {
  expect((await readHeaders(folder({ 'm-00001-of-00001.safetensors': shard('a') }))).tensors.size).toBe(1);
  await expect(readHeaders(folder({ 'm-00001-of-00002.safetensors': shard('a') }))).rejects.toThrow(
    'without its index',
  );
});

test.each([
  '../x.safetensors',
  '/etc/passwd',
  'a/b.safetensors',
  'a\\b',
  'C:x',
  'c:\\x',
  '..',
  '.',
  '',
  'x\0y',
  7,
  null,
])('an index that names %j is refused', async (shardName) => {
  const made = folder({ [indexName]: index({ a: shardName }), 'x.safetensors': shard('a') });
  mkdirSync(join(made, 'a'), { recursive: true });
  await expect(readHeaders(made)).rejects.toMatchObject({
    code: 'ERR_NNINIT_INDEX',
    path: join(made, indexName),
    message: expect.stringMatching(/weight_map\["a"\]: expected the name of a file in this folder, but received/),
  });
});

test('of a key that stands twice in an index the last counts, as in Python', async () => {
  const text = '{"weight_map":{"a":"2.safetensors","a":"1.safetensors"}}';
  const made = folder({ [indexName]: text, '1.safetensors': shard('a') });
  expect([...(await readHeaders(made)).tensors.keys()]).toEqual(['a']);
});

test.each([
  ['', 'empty'],
  ['version https://git-lfs.github.com/spec/v1\noid sha256:48d\nsize 1094\n', 'a Git LFS pointer'],
  ['<html>', 'a web page'],
  ['{"model_type": "gpt2"}', 'JSON text'],
  ['PK\u0003\u0004 and more', 'a ZIP archive'],
])('%j in place of a safetensors file is told as what it is', async (text, what) => {
  await expect(readHeaders(join(folder({ 'm.safetensors': text }), 'm.safetensors'))).rejects.toMatchObject({
    code: 'ERR_NNINIT_HEADER',
    message: expect.stringContaining(`m.safetensors: expected a safetensors file, but it is ${what}`),
  });
});

test.each([
  ['no JSON', '{', 'ERR_NNINIT_INDEX', /expected JSON/],
  [
    'no map',
    '{"metadata":{}}',
    'ERR_NNINIT_INDEX',
    /expected an index with a "weight_map" from tensors to files, but there is none$/,
  ],
  ['an empty map', index({}), 'ERR_NNINIT_INDEX', /but it is empty/],
  ['a missing file', index({ a: '3.safetensors' }), 'ERR_NNINIT_READ', /3.safetensors: no such file/],
  [
    'a missing tensor',
    index({ a: '1.safetensors', x: '1.safetensors' }),
    'ERR_NNINIT_INDEX',
    /"x" in 1.safetensors, but/,
  ],
  [
    'an extra tensor',
    index({ a: '1.safetensors', b: '2.safetensors' }),
    'ERR_NNINIT_INDEX',
    /"c" in no file, but 2.saf/,
  ],
  [
    'a tensor in two files',
    index({ a: '1.safetensors', b: '2.safetensors', c: '3.safetensors' }),
    'ERR_NNINIT_INDEX',
    /"c" in 3.safetensors, but 2.safetensors holds it/,
  ],
  ['a damaged file', index({ a: 'bad.safetensors' }), 'ERR_NNINIT_HEADER', /bad.safetensors: expected/],
])('an index is refused that has %s', async (_what, text, code, message) => {
  const made = folder({
    [indexName]: text,
    '1.safetensors': shard('a'),
    '2.safetensors': shard('b', 'c'),
    ...(text.includes('"3.') && text.includes('"c"') ? { '3.safetensors': shard('c') } : {}),
    'bad.safetensors': 'bad',
  });
  await expect(readHeaders(made)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test.skipIf(process.platform === 'win32')('a link to nowhere is said to be one, alone and in a folder', async () => {
  const folder = mkdtempSync(join(root, 'links-'));
  const path = join(folder, 'model.safetensors');
  symlinkSync('../blobs/0123', path);
  const error = {
    code: 'ERR_NNINIT_READ',
    path,
    message: `could not read ${path}: it is a link to ../blobs/0123, and there is nothing (ENOENT)`,
  };
  for (const given of [path, folder]) await expect(readHeaders(given)).rejects.toMatchObject(error);
});
