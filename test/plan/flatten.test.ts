import { expect, test } from 'vitest';
import {
  batch_norm,
  by_kind,
  container,
  conv2d,
  embedding,
  linear,
  type Module,
  multihead_attention,
  parameter,
  repeat,
} from '../../lib/nn/modules.js';
import { flatten } from '../../lib/plan/flatten.js';

const names_of = (module: Module) => flatten(module).tensors.map(({ name }) => name);
const drawn_by = (module: Module) => flatten(module).draws.map(({ tensor }) => tensor);
const normal = { init: 'normal', std: 0.5 } as const;

test("a module's own tensors come before its children's", () => {
  const module: Module = { kind: 'M', own: { scale: parameter([2], 'ones') }, children: { a: linear(2, 3) } };
  expect(names_of(module)).toEqual(['scale', 'a.weight', 'a.bias']);
  expect(names_of(repeat(2, () => linear(2, 3, false)))).toEqual(['0.weight', '1.weight']);
});

test('construction draws depth first, in the order given or else that of registration', () => {
  const children = { a: linear(2, 3), b: linear(3, 4, false) };
  expect(drawn_by(container('M', children))).toEqual(['a.weight', 'a.bias', 'b.weight']);
  expect(drawn_by(container('M', children, { construction: ['b', 'a'] }))).toEqual(['b.weight', 'a.weight', 'a.bias']);
  expect(names_of(container('M', children, { construction: ['b', 'a'] }))).toEqual(['a.weight', 'a.bias', 'b.weight']);
});

test('a rule draws after all construction, children before parents', () => {
  const rule = by_kind({ Linear: () => ({ weight: normal, bias: 'zeros' }), M: () => ({ 'a.weight': 'normal' }) });
  const { tensors, draws } = flatten(container('M', { a: linear(2, 3), b: linear(3, 4) }, { initialize: rule }));
  const kaiming = { init: 'kaiming_uniform', a: Math.sqrt(5) };
  expect(draws.map(({ tensor, initializer }) => [tensor, initializer])).toEqual([
    ['a.weight', kaiming],
    ['a.bias', { init: 'uniform', a: -1 / Math.sqrt(2), b: 1 / Math.sqrt(2) }],
    ['b.weight', kaiming],
    ['b.bias', { init: 'uniform', a: -1 / Math.sqrt(3), b: 1 / Math.sqrt(3) }],
    ['a.weight', normal],
    ['b.weight', normal],
    ['a.weight', 'normal'],
  ]);
  expect(tensors[0]).toMatchObject({ name: 'a.weight', initializer: 'normal' });
  expect(tensors[1]).toMatchObject({ name: 'a.bias', initializer: 'zeros' });
});

test('a module that has initialized itself is left alone by the one around it', () => {
  const rule = by_kind({ Linear: () => ({ weight: normal }) });
  const inner = container('Inner', { a: linear(2, 3, false) }, { initialize: rule });
  const outer = container('Outer', { inner, b: linear(3, 4, false) }, { initialize: rule });
  expect(drawn_by(outer)).toEqual(['inner.a.weight', 'inner.a.weight', 'b.weight', 'b.weight']);
});

test('a tied tensor is drawn and not kept; names within a module are relative', () => {
  const head = container('M', { a: embedding(5, 2), b: linear(2, 5, false) }, { tied: { 'b.weight': 'a.weight' } });
  const { tensors, draws } = flatten(container('Outer', { m: head }));
  expect(tensors).toMatchObject([{ name: 'm.a.weight', tied: ['m.b.weight'] }]);
  expect(draws.map(({ tensor }) => tensor)).toEqual(['m.a.weight', 'm.b.weight']);
});

test("an embedding's padding is a row, from the end where it is negative", () => {
  const row = (padding?: number | null) => flatten(embedding(5, 2, padding)).tensors[0]?.zero_row;
  expect([row(), row(null), row(0), row(3), row(-1)]).toEqual([undefined, undefined, 0, 3, 4]);
});

test('the torch.nn modules', () => {
  expect(flatten(conv2d(3, 8, [5, 2])).tensors.map(({ shape }) => shape)).toEqual([[8, 3, 5, 2], [8]]);
  expect(flatten(batch_norm(4)).tensors.at(-1)).toMatchObject({ shape: [], dtype: 'int64', initializer: 'zeros' });
  expect(drawn_by(multihead_attention(4))).toEqual(['out_proj.weight', 'out_proj.bias', 'in_proj_weight']);
});

test.each<[string, Module]>([
  [
    'no tensor a.bias in this model, but a rule for it',
    container('M', { a: linear(2, 3, false) }, { initialize: by_kind({ M: () => ({ 'a.bias': 'zeros' }) }) }),
  ],
  ['nothing initializes w', { kind: 'M', own: { w: parameter([2]) } }],
  ['cannot tie b to w', { kind: 'M', own: { w: parameter([2], 'ones') }, tied: { b: 'w' } }],
  ['cannot tie w to b', { kind: 'M', own: { w: parameter([2], 'ones') }, tied: { w: 'b' } }],
])('a slip in a description does not pass: %s', (message, module) => {
  expect(() => flatten(module)).toThrow(message);
});
