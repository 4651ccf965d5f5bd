import { expect, test } from 'vitest';
import type { Flat, ModelTensor } from '../../lib/nn/flatten.js';
import { asSaved, splitExperts } from '../../lib/nn/saved.js';

const tensor = (name: string, shape = [1]): ModelTensor => ({ name, shape, initializer: 'normal' });
const flat = (...names: string[]): Flat => ({
  tensors: names.map((name) => tensor(name)),
  draws: names.map((name) => ({ tensor: name, shape: [1], initializer: 'normal' })),
});
const names = ({ tensors }: Flat) => tensors.map(({ name }) => name);

test('sorts by pieces: numbers by value and before words, trailing digits by value', () => {
  const sorted = ['a', 'a.0.x', 'a.2.x', 'a.10.x', 'a.b', 'a.w1', 'a.w2.z', 'a.w10', 'b'];
  expect(names(asSaved(flat(...sorted.toReversed()), { rename: [] }))).toEqual(sorted);
});

test('renames after sorting, draws too, which keep their order', () => {
  const saved = asSaved(flat('z.b', 'z.a'), {
    rename: [
      [/^z\./, 'y.'],
      [/a$/, 'c'],
    ],
  });
  expect(names(saved)).toEqual(['y.c', 'y.b']);
  expect(saved.draws.map(({ tensor }) => tensor)).toEqual(['y.b', 'y.c']);
});

test('splits matrices of experts, all first ones before all second ones', () => {
  const stacked = tensor('e.up', [2, 6, 5]);
  const parts = splitExperts(stacked, 'e', ['p', 'q']);
  expect(parts.map(({ name, shape, partOf }) => [name, shape, partOf?.begin])).toEqual([
    ['e.0.p', [3, 5], 0],
    ['e.1.p', [3, 5], 30],
    ['e.0.q', [3, 5], 15],
    ['e.1.q', [3, 5], 45],
  ]);
  const saved = asSaved(
    { tensors: [stacked, tensor('a')], draws: [{ tensor: 'e.up', shape: [2, 6, 5], initializer: 'normal' }] },
    { rename: [[/^e/, 'x']], split: (t) => (t.name === 'e.up' ? parts : undefined) },
  );
  expect(names(saved)).toEqual(['a', 'x.0.p', 'x.1.p', 'x.0.q', 'x.1.q']);
  expect(saved.draws[0]?.tensor).toBe('e.up');
  expect(saved.tensors[1]?.partOf?.tensor).toBe('e.up');
});
