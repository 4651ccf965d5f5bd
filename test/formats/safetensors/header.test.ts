import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Dtype, dtypes } from '../../../lib/core/dtype.js';
import { layout } from '../../../lib/formats/safetensors/header.js';

interface Reference {
  readonly tensors: Readonly<Record<string, { readonly shape: number[]; readonly dtype: Dtype }>>;
  readonly head_base64: string;
  readonly file_bytes: number;
}

const reference = JSON.parse(
  readFileSync(new URL('../../fixtures/safetensors/reference.json', import.meta.url), 'utf8'),
) as Reference;

const tensors = Object.entries(reference.tensors).map(([name, { shape, dtype }]) => {
  return { name, shape, dtype, bytes: shape.reduce((a, b) => a * b, 1) * dtypes[dtype].bytes };
});

test('the head is, to the byte, that of the reference implementation', () => {
  const { head, fileBytes } = layout(tensors, { format: 'pt' });
  expect(Buffer.from(head).toString()).toBe(Buffer.from(reference.head_base64, 'base64').toString());
  expect(fileBytes).toBe(reference.file_bytes);
});

test('the order of the tensors does not matter', () => {
  expect(layout(tensors.toReversed(), { format: 'pt' }).head).toEqual(layout(tensors, { format: 'pt' }).head);
});

test('every tensor is aligned to its elements, and there are no holes', () => {
  const placed = layout(tensors, {});
  let end = 0;
  for (const { offset, bytes, dtype } of placed.tensors) {
    expect(offset).toBe(end);
    expect((placed.head.length + offset) % dtypes[dtype].bytes).toBe(0);
    end += bytes;
  }
  expect(placed.dataBytes).toBe(end);
  expect(placed.fileBytes).toBe(placed.head.length + end);
});

test('names that objects treat in their own way stay as they are', () => {
  const names = ['1', '0', '__proto__', 'constructor'];
  const { head } = layout(
    names.map((name) => ({ name, shape: [1], dtype: 'float32', bytes: 4 })),
    {},
  );
  const text = Buffer.from(head).subarray(8).toString();
  expect([...text.matchAll(/"(\w+)":\{"dtype"/g)].map(([, name]) => name)).toEqual([
    '0',
    '1',
    '__proto__',
    'constructor',
  ]);
});

test('a plan without tensors has a head', () => {
  const { head, fileBytes } = layout([], { format: 'pt' });
  expect(Buffer.from(head).subarray(8).toString().trimEnd()).toBe('{"__metadata__":{"format":"pt"}}');
  expect(fileBytes).toBe(head.length);
  expect(fileBytes % 8).toBe(0);
});

test('a header that readers refuse is not made', () => {
  const length = layout(tensors, {}).head.length - 8;
  expect(layout(tensors, {}, length).head.length).toBe(8 + length);
  expect(() => layout(tensors, {}, length - 1)).toThrow(`at most ${length - 1} bytes, but 10 tensors take ${length}`);
});

test('more than 2^53 bytes in all are refused', () => {
  const large = ['a', 'b'].map((name) => ({ name, shape: [2 ** 50], dtype: 'float32' as const, bytes: 2 ** 52 }));
  expect(() => layout(large, {})).toThrow(/at most 2\^53 - 1 bytes/);
});
