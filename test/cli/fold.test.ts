import { expect, test } from 'vitest';
import { foldLayers } from '../../lib/cli/fold.js';

const layer = (i: number, bytes = '8') => [
  [`h.${i}.a`, '[2]', bytes],
  [`h.${i}.mlp.0.b`, '[1]', '4'],
];

test('equal layers are one row for each of their tensors; their number stands before the bytes', () => {
  const rows = [['wte', '[9]', '36'], ...Array.from({ length: 12 }, (_, i) => layer(i)).flat(), ['ln', '[1]', '4']];
  expect(foldLayers(rows)).toEqual([
    ['wte', '[9]', '36'],
    ['h.{0..11}.a', '[2]', '12 × 8'],
    ['h.{0..11}.mlp.0.b', '[1]', '12 × 4'],
    ['ln', '[1]', '4'],
  ]);
});

test('what differs, and what is short, stays as it is', () => {
  for (const rows of [
    [...layer(0), ...layer(1)],
    [...layer(0), ...layer(1, '9'), ...layer(2)],
    [...layer(0), ...layer(2), ...layer(4)],
    [
      ['0.w', '[1]', '4'],
      ['w', '[1]', '4'],
      ['a.b', '[1]', '4'],
    ],
    [],
  ])
    expect(foldLayers(rows)).toEqual(rows);
  const mixed = [0, 1, 2, 3].flatMap((i) => layer(i, i === 3 ? '9' : '8'));
  expect(foldLayers(mixed).map(([name]) => name)).toEqual(['h.{0..2}.a', 'h.{0..2}.mlp.0.b', 'h.3.a', 'h.3.mlp.0.b']);
});

test('experts of equal layers are one row too, whatever the order of a file', () => {
  const expert = (i: number, e: number, w: number) => [`l.${i}.experts.${e}.w${w}`, '[2]', '8'];
  const layers = [0, 1, 2, 3].flatMap((i) => [
    ...[1, 2].flatMap((w) => [0, 1, 2].map((e) => expert(i, e, w))),
    [`l.${i}.gate`, '[3]', '12'],
  ]);
  const folded = [
    ['l.{0..3}.experts.{0..2}.w1', '[2]', '4 × 3 × 8'],
    ['l.{0..3}.experts.{0..2}.w2', '[2]', '4 × 3 × 8'],
    ['l.{0..3}.gate', '[3]', '4 × 12'],
  ];
  expect(foldLayers(layers)).toEqual(folded);
  // As sorted by name: 0, 1, 10, 11, 2.
  const byName = Array.from({ length: 12 }, (_, i) => [`h.${i}.w`, '[1]', '4']).sort(([a], [b]) =>
    (a ?? '') < (b ?? '') ? -1 : 1,
  );
  expect(foldLayers(byName)).toEqual([['h.{0..11}.w', '[1]', '12 × 4']]);
});

test('very many tensors, layers and numbers in one name are folded like few', () => {
  const alone = Array.from({ length: 200_000 }, (_, i) => [`t${i}`, '[1]', '4']);
  expect(foldLayers(alone)).toHaveLength(alone.length);
  const layers = Array.from({ length: 200_000 }, (_, i) => [`h.${i}.w`, `[${i % 2}]`, '4']);
  expect(foldLayers(layers)).toHaveLength(layers.length);
  const deep = [[`a.${'1.'.repeat(8000)}w`, '[1]', '4']];
  expect(foldLayers(deep)).toEqual(deep);
});
