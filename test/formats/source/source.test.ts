import { expect, test } from 'vitest';
import { beside, folderAt, pathnameOf, pathOf, relativeTo } from '../../../lib/formats/source/source.js';

test.each([
  ['https://huggingface.co/gpt2', 'https://huggingface.co/gpt2/resolve/main/'],
  ['https://huggingface.co/org/name/', 'https://huggingface.co/org/name/resolve/main/'],
  ['https://huggingface.co/org/name/resolve/v1', 'https://huggingface.co/org/name/resolve/v1/'],
  ['https://host/org/name', 'https://host/org/name/'],
  ['https://host/a/?x=1', 'https://host/a/?x=1'],
  ['s3://bucket/run#1', 's3://bucket/run#1/'],
  ['s3://bucket/out/', 's3://bucket/out/'],
])('the files of %s are at %s', (address, folder) => expect(folderAt(address)).toBe(folder));

test.each([
  ['out/model.safetensors', 'config.json', 'out/config.json'],
  ['https://host/a/model.safetensors?token=x', 'a b#c', 'https://host/a/a%20b%23c?token=x'],
  ['s3://bucket/50% of #1/x', 'a b#c', 's3://bucket/50% of #1/a b#c'],
])('beside %s, %s is %s', (path, name, at) => expect(beside(path, name)).toBe(at));

test.each([
  ['out/recipe.json', '../a#b/config.json', 'a#b/config.json'],
  ['https://host/a/b/recipe.json', '../x y/z#1', 'https://host/a/x%20y/z%231'],
  ['s3://bucket/deep/recipes/r.json', '../a#b', 's3://bucket/deep/a#b'],
  ['s3://bucket/r.json', 'x', 's3://bucket/x'],
])('in %s the path %s means %s', (source, path, meant) => expect(relativeTo(source, path)).toBe(meant));

test('an address names a file by its path, or by all of a key', () => {
  expect(pathnameOf('https://host/a/x.json?y.safetensors')).toBe('/a/x.json');
  expect(pathnameOf('s3://bucket/a?b.json')).toBe('s3://bucket/a?b.json');
});

test('a URL of a file is a path, and one that names none is refused', () => {
  expect(pathOf(new URL('file:///a%20b/c'))).toBe('/a b/c');
  expect(pathOf('a%20b/c')).toBe('a%20b/c');
  const wrong = 'file:///a%2fb';
  const refused = { name: 'InputError', code: 'ERR_NNINIT_READ', path: wrong, cause: expect.any(Error) };
  expect(() => pathOf(wrong)).toThrow(expect.objectContaining(refused));
  expect(() => pathOf(wrong)).toThrow(`could not read ${wrong}: `);
});
