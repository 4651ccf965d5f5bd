import { expect, test } from 'vitest';
import { flatten } from '../../lib/nn/flatten.js';
import { byKind, container, copiesOf, type Module, parameter, repeat } from '../../lib/nn/module.js';
import { batchNorm, conv2d, embedding, layerNorm, linear, multiheadAttention } from '../../lib/nn/modules/index.js';

const namesOf = (module: Module) => flatten(module).tensors.map(({ name }) => name);
const drawnBy = (module: Module) => flatten(module).draws.map(({ tensor }) => tensor);
const normal = { init: 'normal', std: 0.5 } as const;

test("a module's own tensors come before its children's", () => {
  const module: Module = { kind: 'M', own: { scale: parameter([2], 'ones') }, children: { a: linear(2, 3) } };
  expect(namesOf(module)).toEqual(['scale', 'a.weight', 'a.bias']);
  expect(namesOf(repeat(2, () => linear(2, 3, false)))).toEqual(['0.weight', '1.weight']);
});

test('construction draws depth first, in the order given or else that of registration', () => {
  const children = { a: linear(2, 3), b: linear(3, 4, false) };
  expect(drawnBy(container('M', children))).toEqual(['a.weight', 'a.bias', 'b.weight']);
  expect(drawnBy(container('M', children, { construction: ['b', 'a'] }))).toEqual(['b.weight', 'a.weight', 'a.bias']);
  expect(namesOf(container('M', children, { construction: ['b', 'a'] }))).toEqual(['a.weight', 'a.bias', 'b.weight']);
});

test('a rule draws after all construction, children before parents', () => {
  const rule = byKind({ Linear: () => ({ weight: normal, bias: 'zeros' }), M: () => ({ 'a.weight': 'normal' }) });
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
  const rule = byKind({ Linear: () => ({ weight: normal }) });
  const inner = container('Inner', { a: linear(2, 3, false) }, { initialize: rule });
  const outer = container('Outer', { inner, b: linear(3, 4, false) }, { initialize: rule });
  expect(drawnBy(outer)).toEqual(['inner.a.weight', 'inner.a.weight', 'b.weight', 'b.weight']);
});

test('a tied tensor is drawn and not kept; names within a module are relative', () => {
  const head = container('M', { a: embedding(5, 2), b: linear(2, 5, false) }, { tied: { 'b.weight': 'a.weight' } });
  const { tensors, draws } = flatten(container('Outer', { m: head }));
  expect(tensors).toMatchObject([{ name: 'm.a.weight', tied: ['m.b.weight'] }]);
  expect(draws.map(({ tensor }) => tensor)).toEqual(['m.a.weight', 'm.b.weight']);
});

test("an embedding's padding is a row, from the end where it is negative", () => {
  const row = (padding?: number | null) => flatten(embedding(5, 2, padding)).tensors[0]?.zeroRow;
  expect([row(), row(null), row(0), row(3), row(-1)]).toEqual([undefined, undefined, 0, 3, 4]);
});

test('copies are constructed once, as the first of them, or in vain', () => {
  const three = flatten(container('M', { a: copiesOf(container('N', { b: linear(2, 3), n: layerNorm(3) }), 3) }));
  expect(three.draws.map(({ tensor }) => tensor)).toEqual(['a.0.b.weight', 'a.0.b.bias']);
  expect(three.tensors.map(({ name, copyOf }) => [name, copyOf]).slice(-4)).toEqual([
    ['a.2.b.weight', 'a.0.b.weight'],
    ['a.2.b.bias', 'a.0.b.bias'],
    ['a.2.n.weight', undefined],
    ['a.2.n.bias', undefined],
  ]);
  expect(flatten(copiesOf(linear(2, 3), 0))).toEqual({ tensors: [], draws: flatten(copiesOf(linear(2, 3), 1)).draws });
});

test('what a rule initializes is no copy; a row stays zero where the rule is the own one', () => {
  const reaches = byKind({ M: () => ({ '1.weight': normal }) });
  const inside = byKind({ Embedding: () => ({ weight: normal }) });
  const padded = () => copiesOf(embedding(5, 2, 1), 2);
  const shown = (module: Module) => flatten(module).tensors.map(({ copyOf, zeroRow }) => [copyOf, zeroRow]);
  expect(shown(padded())).toEqual([
    [undefined, 1],
    ['0.weight', 1],
  ]);
  expect(shown({ ...padded(), copies: undefined, kind: 'M', initialize: reaches })).toEqual([
    [undefined, 1],
    [undefined, undefined],
  ]);
  expect(shown(container('M', { m: padded() }, { initialize: inside }))).toEqual([
    [undefined, 1],
    [undefined, 1],
  ]);
});

test('the torch.nn modules', () => {
  expect(flatten(conv2d(3, 8, [5, 2])).tensors.map(({ shape }) => shape)).toEqual([[8, 3, 5, 2], [8]]);
  expect(flatten(batchNorm(4)).tensors.at(-1)).toMatchObject({ shape: [], dtype: 'int64', initializer: 'zeros' });
  expect(drawnBy(multiheadAttention(4))).toEqual(['out_proj.weight', 'out_proj.bias', 'in_proj_weight']);
});

test.each<[string, Module]>([
  [
    'no tensor a.bias in this model, but a rule for it',
    container('M', { a: linear(2, 3, false) }, { initialize: byKind({ M: () => ({ 'a.bias': 'zeros' }) }) }),
  ],
  ['nothing initializes w', { kind: 'M', own: { w: parameter([2]) } }],
  ['cannot tie b to w', { kind: 'M', own: { w: parameter([2], 'ones') }, tied: { b: 'w' } }],
  ['cannot tie w to b', { kind: 'M', own: { w: parameter([2], 'ones') }, tied: { w: 'b' } }],
])('a slip in a description does not pass: %s', (message, module) => {
  expect(() => flatten(module)).toThrow(message);
});
