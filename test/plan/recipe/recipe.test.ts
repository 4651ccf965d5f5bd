import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Dtype } from '../../../lib/core/dtype.js';
import { InputError } from '../../../lib/core/errors.js';
import { readJson } from '../../../lib/core/json.js';
import { definitionOf, names } from '../../../lib/init/initializers.js';
import { resolvePlan } from '../../../lib/plan/plan.js';
import { planOfRecipe, type RecipePlan } from '../../../lib/plan/recipe/recipe.js';

function planOfText(text: string, dtype?: Dtype): RecipePlan {
  return planOfRecipe(readJson(Buffer.from(text), 'r.json'), dtype);
}

const planOf = (recipe: unknown, dtype?: Dtype): RecipePlan => planOfText(JSON.stringify(recipe), dtype);

function initializerOf(rules: Record<string, unknown>, name = 'h.0/attn.weight') {
  return planOf({ tensors: { [name]: [2, 2] }, initializers: rules }).tensors[0]?.initializer;
}

test('a tensor has the shape, the dtype and the initializer that the recipe gives it', () => {
  const { tensors, warnings } = planOf({
    dtype: 'float16',
    tensors: {
      a: [2, 3],
      b: { shape: [], dtype: 'float64' },
      c: { shape: [4], init: 'normal', std: 0.5 },
    },
    initializers: { '*': 'zeros', b: { init: 'constant', val: 1.5 } },
  });
  expect(tensors).toEqual([
    { name: 'a', shape: [2, 3], dtype: 'float16', initializer: { init: 'zeros' } },
    { name: 'b', shape: [], dtype: 'float64', initializer: { init: 'constant', val: 1.5 } },
    { name: 'c', shape: [4], dtype: 'float16', initializer: { init: 'normal', std: 0.5 } },
  ]);
  expect(warnings).toEqual([]);
});

test('--dtype replaces the default, not what a tensor says of itself', () => {
  const recipe = {
    dtype: 'float16',
    tensors: { a: [1], b: { shape: [1], dtype: 'float64' } },
    initializers: { '*': 'ones' },
  };
  expect(planOf(recipe, 'bfloat16').tensors.map(({ dtype }) => dtype)).toEqual(['bfloat16', 'float64']);
  expect(planOf({ ...recipe, dtype: undefined }).tensors[0]?.dtype).toBe('float32');
});

test('the last matching rule wins, and * crosses dots and slashes', () => {
  expect(initializerOf({ '*': 'zeros', '*.weight': 'ones' })).toEqual({ init: 'ones' });
  expect(initializerOf({ '*.weight': 'ones', '*': 'zeros' })).toEqual({ init: 'zeros' });
  expect(initializerOf({ '*': 'zeros', 'h.*.weight': 'ones', '*.bias': 'normal' })).toEqual({ init: 'ones' });
});

test.each([
  ['*', '', true],
  ['*', '.hidden/..', true],
  ['*', 'a\nb', true],
  ['*.weight', 'weight', false],
  ['*.weight', 'a.weight', true],
  ['*.weight', 'a.weight.x', false],
  ['*.weight', 'a.weight/', false],
  ['h.*.ln_?.weight', 'h.10.ln_2.weight', true],
  ['h.{0,1}.*', 'h.1.mlp.bias', true],
  ['h.{0..11}.*', 'h.11.mlp.bias', true],
  ['h.{0..11}.*', 'h.12.mlp.bias', false],
  ['h.{a..c}.*', 'h.b.mlp.bias', true],
  ['h.{0,1}.*', 'h.2.mlp.bias', false],
  ['h.[0-9].w', 'h.12.w', false],
  ['!a', 'b', false],
  ['a[0].b', 'a[0].b', true],
  ['a\\*', 'a*', true],
  ['a\\*', 'ab', false],
])('the glob %j over the name %j: %j', (glob, name, expected) => {
  const rules = { '*': 'zeros', [glob]: 'ones' };
  expect(initializerOf(rules, name)).toEqual({ init: expected ? 'ones' : 'zeros' });
});

test("a word of others' for a dtype leads to ours", () => {
  const recipe = { tensors: { a: { shape: [1], dtype: 'bf16', init: 'zeros' } } };
  expect(() => planOf(recipe)).toThrow(/received 'bf16' \(did you mean 'bfloat16'\?\)$/);
});

test('a rule that matches nothing is worth a warning', () => {
  const recipe = { tensors: { a: [1] }, initializers: { '*.wieght': 'ones', '*': 'zeros', a: 'ones' } };
  expect(planOf(recipe).warnings).toEqual(['r.json: initializers["*.wieght"] matches no tensor']);
});

test('the order is that of the text, also for names that objects sort', () => {
  const text =
    '{"tensors": {"b": [1], "1": [1], "0": [1]}, "initializers": {"[01]": "ones", "0": "zeros", "*1": "normal"}}';
  const { tensors } = planOfText(text.replace('"[01]"', '"*": "ones", "[01]"'));
  expect(tensors.map(({ name, initializer }) => [name, initializer])).toEqual([
    ['b', { init: 'ones' }],
    ['1', { init: 'normal' }],
    ['0', { init: 'zeros' }],
  ]);
});

test('__proto__ and constructor are names like others', () => {
  const { tensors } = planOfText(
    '{"tensors": {"__proto__": [1], "constructor": {"shape": [2]}}, "initializers": {"__proto__": "ones", "cons*": "zeros"}}',
  );
  expect(tensors).toMatchObject([
    { name: '__proto__', shape: [1], initializer: { init: 'ones' } },
    { name: 'constructor', shape: [2], initializer: { init: 'zeros' } },
  ]);
});

test('every initializer of the table is known, with all its parameters', () => {
  for (const init of names) {
    const parameters = definitionOf(init).parameters.map((parameter) => {
      const { name, kind } = parameter;
      return [name, kind === 'word' ? parameter.words[0] : kind === 'boolean' ? true : 1] as const;
    });
    const given = { init, ...Object.fromEntries(parameters) };
    expect(initializerOf({ '*': given })).toEqual(given);
    expect(planOf({ tensors: { w: { shape: [2, 2], ...given } } }).tensors[0]?.initializer).toEqual(given);
  }
});

const ok = { tensors: { 'h.0.weight': [2, 2] }, initializers: { '*': 'zeros' } };
const withTensor = (tensor: unknown) => ({ ...ok, tensors: { 'h.0.weight': tensor } });
const withRule = (initializer: unknown) => ({ ...ok, initializers: { '*.weight': initializer } });

test.each<[unknown, string]>([
  [{ model: '' }, 'model: expected text of a length ≥ 1'],
  [
    { tensors: {}, preset: { name: 'dummy', roles: { matrix: [] } } },
    'preset.roles.matrix: expected an array of a length ≥ 1',
  ],
  [withTensor([768, -3]), 'tensors["h.0.weight"][1]: expected a whole number ≥ 0, but received -3'],
  [withTensor({ shape: [768, -3] }), 'tensors["h.0.weight"].shape[1]: expected a whole number ≥ 0, but received -3'],
  [withTensor([1.5]), 'tensors["h.0.weight"][0]: expected a whole number ≥ 0, but received 1.5'],
  [withTensor(['2']), `tensors["h.0.weight"][0]: expected a whole number ≥ 0, but received '2'`],
  [
    withTensor([2 ** 53]),
    'tensors["h.0.weight"][0]: expected a whole number ≥ 0 and < 2^53, but received 9007199254740992',
  ],
  [withTensor([null, -1]), 'tensors["h.0.weight"][0]: expected a whole number ≥ 0, but received null (and 1 more)'],
  [withTensor(7), 'tensors["h.0.weight"]: expected a shape, or an object with a shape, but received 7'],
  [withTensor({}), 'tensors["h.0.weight"].shape: expected a shape: an array of whole numbers ≥ 0, but it is missing'],
  [
    withTensor({ shape: [1], dtype: 'float8' }),
    `tensors["h.0.weight"].dtype: expected one of 'float16', 'bfloat16', 'float32', 'float64', 'bool', 'float4_e2m1fn', `,
  ],
  [
    withTensor({ shape: [1], dtyp: 'x' }),
    `tensors["h.0.weight"].dtyp: unknown key, expected one of 'shape', 'dtype', 'init' (did you mean 'dtype'?)`,
  ],
  [
    withTensor({ shape: [1], init: 'normal', sdt: 1 }),
    `tensors["h.0.weight"].sdt: unknown key, expected one of 'shape', 'dtype', 'init', 'mean', 'std' (did you mean 'std'?)`,
  ],
  [
    withTensor({ init: 'zeros' }),
    'tensors["h.0.weight"].shape: expected a shape: an array of whole numbers ≥ 0, but it is missing',
  ],
  [
    withRule({ init: 'normal', std: -1 }),
    'initializers["*.weight"].std: expected a finite number ≥ 0, but received -1',
  ],
  [
    withRule({ init: 'normal', std: null }),
    'initializers["*.weight"].std: expected a finite number ≥ 0, but received null',
  ],
  [
    withRule({ init: 'dirac', groups: 0 }),
    'initializers["*.weight"].groups: expected a whole number ≥ 1, but received 0',
  ],
  [
    withRule({ init: 'kaiming_normal', mode: 'fan_avg' }),
    `initializers["*.weight"].mode: expected one of 'fan_in', 'fan_out', but received 'fan_avg'`,
  ],
  [withRule('constant'), 'initializers["*.weight"].val: expected a finite number, but it is missing'],
  [withRule({ std: 1 }), 'initializers["*.weight"].init: expected one of '],
  [
    withRule(3),
    'initializers["*.weight"]: expected an initializer: a name, or an object with the name in "init", but received 3',
  ],
  [
    { ...ok, seed: 1 },
    "seed: unknown key, expected one of 'dtype', 'model', 'like', 'lora', 'mtp', 'layers', 'tensors', 'initializers', 'preset', 'overrides', '$schema'; the seed is no part of a recipe: give it as an option",
  ],
  [
    { ...ok, dtypes: 'x' },
    "dtypes: unknown key, expected one of 'dtype', 'model', 'like', 'lora', 'mtp', 'layers', 'tensors', 'initializers', 'preset', 'overrides', '$schema' (did you mean 'dtype'?)",
  ],
  [{ ...ok, tensors: [] }, 'tensors: expected an object from names to shapes, but received []'],
  [
    { ...ok, initializers: 'zeros' },
    `initializers: expected an object from globs to initializers, but received 'zeros'`,
  ],
  [
    { tensors: { x: [1] } },
    'tensors["x"]: expected an initializer: its own "init", or a rule in "initializers" that matches its name',
  ],
  [{ ...ok, initializers: { '*.bias': 'zeros' } }, 'tensors["h.0.weight"]: expected an initializer'],
])('%j is refused', (recipe, message) => {
  expect(() => planOf(recipe)).toThrow(InputError);
  expect(() => planOf(recipe)).toThrow(`r.json: ${message}`);
});

test('a misspelt initializer is told the nearest one', () => {
  expect(() => planOf(withRule('kaiming_norml'))).toThrow(
    /expected one of .*received 'kaiming_norml' \(did you mean 'kaiming_normal'\?\)$/,
  );
  expect(() => planOf(withTensor({ shape: [1], init: 'zeroes' }))).toThrow(
    /\["h.0.weight"\]\.init: .*did you mean 'zeros'/,
  );
});

test.each([
  ['{"tensors": {"a": [1], "a": [2]}}', 'r.json:1:24: tensors["a"]: expected each key once'],
  ['{"tensors": {},\n "tensors": {}}', 'r.json:2:2: tensors: expected each key once'],
  ['{"tensors": {"a": {"shape": [1], "shape": [2]}}}', 'r.json:1:34: tensors["a"].shape: expected each key once'],
  ['{"tensors": {"a": [1],}}', 'r.json:1:23: expected JSON: '],
  ['{"tensors": // none\n {}}', 'r.json:1:13: expected JSON: a value'],
  ['', 'r.json: expected JSON, but it is empty'],
])('%j is refused', (text, message) => {
  expect(() => planOfText(text)).toThrow(InputError);
  expect(() => planOfText(text)).toThrow(message);
});

test('bytes that are no UTF-8 and bottomless nesting are refused, a byte order mark is not', () => {
  expect(() => readJson(Uint8Array.of(0x22, 0xff, 0x22), 'r.json')).toThrow(/no valid UTF-8/);
  expect(() => readJson(Buffer.from('{"é": 1}', 'latin1'), 'r.json')).toThrow(/it is no valid UTF-8/);
  expect(() => readJson(Buffer.from('['.repeat(1e6) + ']'.repeat(1e6)), 'r.json')).toThrow(InputError);
  expect(readJson(Buffer.from('\ufeff{}'), 'r.json').value).toEqual({});
});

test.each(['mlp', 'convnet'])('the example %s is a plan', (name) => {
  const file = new URL(`../../../examples/recipes/${name}.json`, import.meta.url);
  const { warnings, ...plan } = planOfRecipe(readJson(readFileSync(file), name));
  expect(warnings).toEqual([]);
  expect(resolvePlan(plan).length).toBeGreaterThan(5);
});
