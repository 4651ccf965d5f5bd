import { expect, test } from 'vitest';
import type { Dtype } from '../../../lib/core/dtype.js';
import { InputError } from '../../../lib/core/errors.js';
import { readJson } from '../../../lib/core/json.js';
import { layerTensors } from '../../../lib/nn/layers/index.js';
import { planOfConfig } from '../../../lib/plan/models.js';
import { type Plan, resolvePlan } from '../../../lib/plan/plan.js';
import { planOfRecipe } from '../../../lib/plan/recipe/recipe.js';

const gpt2 = { model_type: 'gpt2', n_layer: 2, n_embd: 8, n_head: 2, vocab_size: 10, n_positions: 4 };

function planOf(recipe: unknown, dtype?: Dtype, model?: Plan) {
  const document = readJson(Buffer.from(JSON.stringify(recipe)), 'r.json');
  return planOfRecipe(document, dtype, model && { plan: () => model, asksRules: false });
}

const known = await planOfConfig(readJson(Buffer.from(JSON.stringify(gpt2)), 'config.json'));
const onModel = (recipe: object) => planOf({ model: 'config.json', ...recipe }, undefined, known);
const tensor = (plan: Plan, name: string) => plan.tensors.find((each) => each.name === name);
const names = (plan: Plan) => plan.tensors.map(({ name }) => name);

// ---- repeats ----

test('braces in a name repeat a tensor', () => {
  const plan = planOf({
    tensors: { 'h.{0..1}.{q,k}': [2], last: [1] },
    initializers: { '*': 'zeros', 'h.1.*': 'ones' },
  });
  expect(names(plan)).toEqual(['h.0.q', 'h.0.k', 'h.1.q', 'h.1.k', 'last']);
  expect(tensor(plan, 'h.1.q')?.initializer).toEqual({ init: 'ones' });
});

test('braces that are no list or range, and names that meet, are refused where they stand', () => {
  const refused = (tensors: object, layers: object = {}) => {
    return () => planOf({ tensors, layers, initializers: { '*': 'zeros' } });
  };
  expect(refused({ 'h.{x}': [1] })).toThrow('r.json: tensors["h.{x}"]: expected a list such as {q,k,v}');
  expect(refused({ 'h.{0..1}': [1], 'h.1': [1] })).toThrow(
    'r.json: tensors["h.1"]: expected each tensor once, but "h.1" is there twice: tensors["h.{0..1}"] makes it already',
  );
  expect(refused({ 'fc.bias': [1] }, { fc: { layer: 'Linear', in_features: 1, out_features: 1 } })).toThrow(
    'r.json: tensors["fc.bias"]: expected each tensor once, but "fc.bias" is there twice: layers["fc"] makes it already',
  );
  expect(() => onModel({ tensors: { 'transformer.wte.weight': [1] } })).toThrow(
    'the model has it already; "overrides" change it',
  );
});

// ---- layers ----

test('a layer has the tensors of its constructor under its name', () => {
  const args = { in_channels: 4, out_channels: 6, kernel_size: [3, 1], groups: 2 };
  const plan = planOf({ layers: { 'body.{0,1}': { layer: 'Conv2d', ...args, dtype: 'float16' } } }, 'bfloat16');
  const expected = [0, 1].flatMap((i) =>
    layerTensors('Conv2d', args).map(({ name, shape, initializer }) => {
      return { name: `body.${i}.${name}`, shape, dtype: 'float16', initializer };
    }),
  );
  expect(plan.tensors).toEqual(expected);
  expect(plan.draws?.map((draw) => draw.tensor)).toEqual(names(plan));
});

test('counters stay integers, padding rows zero, copies copies, and an empty name is none', () => {
  const plan = planOf(
    {
      layers: {
        bn: { layer: 'BatchNorm1d', num_features: 3 },
        '': { layer: 'Embedding', num_embeddings: 5, embedding_dim: 2, padding_idx: 1 },
        enc: {
          layer: 'TransformerEncoder',
          encoder_layer: { layer: 'TransformerEncoderLayer', d_model: 4, nhead: 2, dim_feedforward: 8 },
          num_layers: 2,
          norm: { layer: 'LayerNorm', normalized_shape: 4 },
        },
      },
    },
    'bfloat16',
  );
  expect(tensor(plan, 'bn.num_batches_tracked')).toMatchObject({ dtype: 'int64', initializer: 'zeros' });
  expect(tensor(plan, 'bn.weight')).toMatchObject({ dtype: 'bfloat16' });
  expect(tensor(plan, 'weight')).toMatchObject({ shape: [5, 2], zeroRow: 1 });
  expect(tensor(plan, 'enc.norm.weight')).toMatchObject({ shape: [4] });
  const [first, second] = ['enc.layers.0.linear1.weight', 'enc.layers.1.linear1.weight'];
  expect(tensor(plan, second)).toMatchObject({ copyOf: first });
  const resolved = new Map(resolvePlan(plan).map((each) => [each.name, each.stream]));
  expect(resolved.get(second)).toBe(resolved.get(first));
});

test('an override makes a copy and a padded embedding tensors of their own', () => {
  const plan = planOf({
    layers: { emb: { layer: 'Embedding', num_embeddings: 5, embedding_dim: 2, padding_idx: 0 } },
    overrides: { 'emb.*': { init: 'normal', std: 0.1, dtype: 'float64' } },
  });
  expect(plan.tensors).toEqual([
    { name: 'emb.weight', shape: [5, 2], dtype: 'float64', initializer: { init: 'normal', std: 0.1 } },
  ]);
  expect(plan.draws?.map(({ initializer }) => initializer)).toEqual(['normal', { init: 'normal', std: 0.1 }]);
});

/** A layer and two copies of it, and one weight of each. */
const threeEncoders = {
  layers: {
    e: {
      layer: 'TransformerEncoder',
      num_layers: 3,
      encoder_layer: { layer: 'TransformerEncoderLayer', d_model: 4, nhead: 2, dim_feedforward: 8 },
    },
  },
  weights: ['e.layers.0.linear1.weight', 'e.layers.1.linear1.weight', 'e.layers.2.linear1.weight'],
} as const;

// As in PyTorch: torch.nn.init on one layer leaves the others as they were copied.
test('what is left of copies stays as it was drawn when their original is initialized once more', () => {
  const { layers, weights } = threeEncoders;
  const [first, second, third] = weights;
  const before = planOf({ layers });
  const plan = planOf({ layers, overrides: { [first]: { init: 'normal', std: 3 } } });
  expect(tensor(plan, second)?.copyOf).toBeUndefined();
  expect(tensor(plan, third)?.copyOf).toBe(second);
  expect(tensor(plan, 'e.layers.2.linear1.bias')?.copyOf).toBe('e.layers.0.linear1.bias');
  const draws = before.draws?.map((draw) => (draw.tensor === first ? { ...draw, tensor: second } : draw));
  expect(plan.draws).toEqual([
    ...(draws ?? []),
    { tensor: first, shape: [8, 4], initializer: { init: 'normal', std: 3 } },
  ]);
});

test('a copy in another dtype is none', () => {
  const { layers, weights } = threeEncoders;
  const [first, second] = weights;
  const withFloat64 = (glob: string) => planOf({ layers, overrides: { [glob]: { dtype: 'float64' } } });
  const [copy, original, all] = [withFloat64(second), withFloat64(first), withFloat64('*.linear1.weight')] as const;
  const copies = (plan: Plan) => weights.map((name) => tensor(plan, name)?.copyOf);
  expect(copies(copy)).toEqual([undefined, undefined, first]);
  expect(copy.draws?.at(-1)?.tensor).toBe(second);
  expect(copies(original)).toEqual([undefined, undefined, second]);
  expect(original.draws?.at(-1)?.tensor).toBe(second);
  expect(copies(all)).toEqual([undefined, first, first]);
  for (const plan of [copy, original, all]) {
    const drawn = new Set(plan.draws?.map((draw) => draw.tensor));
    for (const name of [first, second]) expect(drawn.has(tensor(plan, name)?.copyOf ?? name)).toBe(true);
  }
});

test('a rule initializes once more, also where it says what was there', () => {
  const layers = { emb: { layer: 'Embedding', num_embeddings: 5, embedding_dim: 2, padding_idx: 0 } };
  for (const right of ['normal', { init: 'normal' }]) {
    const plan = planOf({ layers, overrides: { 'emb.weight': right } });
    expect(tensor(plan, 'emb.weight')?.zeroRow).toBeUndefined();
    expect(plan.draws).toHaveLength(2);
  }
});

test('a glob leaves counters what they are, a name in full does not', () => {
  const layers = { bn: { layer: 'BatchNorm1d', num_features: 3 } };
  const dtypeWith = (glob: string) =>
    tensor(planOf({ layers, overrides: { [glob]: { dtype: 'float64' } } }), 'bn.num_batches_tracked')?.dtype;
  expect(dtypeWith('*')).toBe('int64');
  expect(dtypeWith('bn.num_batches_tracked')).toBe('float64');
});

const linear = { layer: 'Linear', in_features: 2, out_features: 2 };
const encoder = { layer: 'TransformerEncoder', num_layers: 1 };

test.each<[unknown, string]>([
  [3, 'layers["x"]: expected a layer: an object with its "layer", but received 3'],
  [{ ...linear, layer: 'Liner' }, `layers["x"].layer: expected one of 'Linear', `],
  [{ ...linear, layer: 'Liner' }, "(did you mean 'Linear'?)"],
  [{ ...linear, in_features: -1 }, 'layers["x"].in_features: expected a whole number ≥ 0, but received -1'],
  [{ ...linear, in_features: undefined }, 'layers["x"].in_features: expected a whole number ≥ 0, but it is missing'],
  [{ ...linear, in_features: 1e300 }, 'in_features: expected a whole number ≥ 0 and < 2^53, but received 1e+300'],
  [{ ...linear, biass: true }, `layers["x"].biass: unknown key, expected one of 'layer', 'dtype', 'in_features', `],
  [{ ...linear, bias: 1 }, 'layers["x"].bias: expected true or false, but received 1'],
  [
    { layer: 'Conv2d', in_channels: 1, out_channels: 1, kernel_size: [3] },
    'layers["x"].kernel_size: expected a whole number ≥ 0 or an array of 2, but received [3]',
  ],
  [{ layer: 'MultiheadAttention', embed_dim: 10, num_heads: 3 }, 'layers["x"]: MultiheadAttention: expected a divisor'],
  [
    { ...encoder, encoder_layer: 1 },
    'layers["x"].encoder_layer: expected a layer: an object with its "layer", but received 1',
  ],
  [{ ...encoder, encoder_layer: { layer: 'X' } }, `layers["x"].encoder_layer.layer: expected one of 'Linear'`],
  [
    { ...encoder, encoder_layer: { layer: 'TransformerEncoderLayer', d_model: 4, nhead: 'a' } },
    `layers["x"].encoder_layer.nhead: expected a whole number ≥ 1, but received 'a'`,
  ],
  [
    { ...encoder, encoder_layer: { layer: 'TransformerEncoderLayer', d_model: 4, nhead: 1, dtype: 'float16' } },
    `layers["x"].encoder_layer.dtype: unknown key, expected one of 'layer', 'd_model', `,
  ],
])('the layer %j is refused', (layer, message) => {
  const plan = () => planOf({ layers: { x: layer } });
  expect(plan).toThrow(InputError);
  expect(plan).toThrow(message);
});

test('layers within layers have an end', () => {
  let inner: unknown = { layer: 'TransformerEncoderLayer', d_model: 2, nhead: 1 };
  for (let depth = 0; depth < 100; depth++)
    inner = { layer: 'TransformerEncoder', num_layers: 1, encoder_layer: inner };
  expect(() => planOf({ layers: { x: inner } })).toThrow(/layers\["x"\]/);
});

// ---- models and overrides ----

test('overrides change initializers and dtypes of a model, the last one first', () => {
  const plan = onModel({
    overrides: {
      '*.attn.c_proj.weight': { init: 'orthogonal', gain: 0.5 },
      '*.1.attn.*': 'zeros',
      '*.ln_?.*': { dtype: 'float64' },
      'transformer.wpe.weight': { init: 'normal', std: 1, dtype: 'float16' },
    },
  });
  const before = known;
  expect(names(plan)).toEqual(names(before));
  expect(tensor(plan, 'transformer.h.0.attn.c_proj.weight')?.initializer).toEqual({ init: 'orthogonal', gain: 0.5 });
  expect(tensor(plan, 'transformer.h.1.attn.c_proj.weight')?.initializer).toEqual({ init: 'zeros' });
  expect(tensor(plan, 'transformer.h.0.ln_1.weight')).toEqual({
    ...tensor(before, 'transformer.h.0.ln_1.weight'),
    dtype: 'float64',
  });
  expect(tensor(plan, 'transformer.wpe.weight')).toMatchObject({
    dtype: 'float16',
    initializer: { init: 'normal', std: 1 },
  });
  expect(tensor(plan, 'transformer.wte.weight')).toEqual(tensor(before, 'transformer.wte.weight'));
  expect([plan.config, plan.warnings]).toEqual([before.config, []]);
});

test("the reference's draws come first, then those of what was changed", () => {
  const before = known;
  const plan = onModel({
    overrides: { '*.wpe.weight': 'normal', '*.wte.weight': 'zeros' },
    tensors: { own: { shape: [2], init: 'uniform' } },
  });
  const added = plan.draws?.slice(before.draws?.length);
  expect(plan.draws?.slice(0, before.draws?.length)).toEqual(before.draws);
  expect(added?.map((draw) => draw.tensor)).toEqual(['transformer.wpe.weight', 'own']);
});

test('rules that find nothing, and those that come too late, are worth a warning', () => {
  const { warnings } = onModel({
    tensors: { own: { shape: [2], init: 'zeros' } },
    initializers: { '*.wte.*': 'ones', 'x*': 'ones', own: 'ones' },
    overrides: { '*.wtee.*': 'ones' },
  });
  expect(warnings).toEqual([
    'r.json: initializers["*.wte.*"] matches only tensors that have an initializer already: overrides would replace it',
    'r.json: initializers["x*"] matches no tensor',
    'r.json: overrides["*.wtee.*"] matches no tensor',
  ]);
});

test('what can only be zeros needs no initializer, and globs leave it alone', () => {
  const integers = { tensors: { step: { shape: [], dtype: 'int64' }, w: [2, 2] } };
  const plan = planOf({
    ...integers,
    initializers: { '*': 'normal' },
    overrides: { '*': 'ones', s: { dtype: 'int32' } },
  });
  expect(plan.tensors.map(({ initializer }) => initializer)).toEqual(['zeros', { init: 'ones' }]);
  expect(resolvePlan(plan).map(({ bytes }) => bytes)).toEqual([8, 16]);
  const exact = planOf({ ...integers, initializers: { '*': 'normal' }, overrides: { step: 'ones' } });
  expect(() => resolvePlan(exact)).toThrow(
    'tensor "step": expected \'zeros\', which is all that nninit writes in int64',
  );
});

test('the full name of a tensor of 8 bits reaches it, in initializers as in overrides; a glob does not', () => {
  const codes = { shape: [4], dtype: 'float8_e4m3fn' };
  const plan = planOf({
    tensors: { a: codes, b: codes, c: { ...codes, init: 'normal' }, d: codes },
    initializers: { '*': 'normal', a: 'ones' },
    overrides: { '*': 'normal', b: 'ones' },
  });
  expect(plan.tensors.map(({ initializer }) => initializer)).toEqual([
    { init: 'ones' },
    { init: 'ones' },
    { init: 'normal' },
    'zeros',
  ]);
  const counter = planOf({ tensors: { step: { shape: [], dtype: 'int64' } }, initializers: { step: 'ones' } });
  expect(() => resolvePlan(counter)).toThrow("expected 'zeros', which is all that nninit writes in int64");
});

test.each<[object, string]>([
  [
    {},
    'r.json: expected "tensors", "layers", "model" or "like", from which the tensors come, but none of them is there',
  ],
  [{ model: 'a', like: 'b' }, 'r.json: expected "model" or "like", but both are there'],
  [
    { model: 3 },
    'r.json: model: expected a path to a config.json, the name of a model, or a config as an object, but received 3',
  ],
  [{ like: '' }, "r.json: like: expected a path to a checkpoint, but received ''"],
  [{ tensors: {}, overrides: 1 }, 'r.json: overrides: expected an object from globs to initializers, but received 1'],
  [{ tensors: {}, overrides: { a: { dtype: 'x' } } }, `r.json: overrides["a"].dtype: expected one of 'float16', `],
  [{ tensors: {}, overrides: { a: { std: 1 } } }, `r.json: overrides["a"].init: expected one of 'uniform', `],
  [{ tensors: {}, overrides: { a: { init: 'normal', sdt: 1 } } }, 'r.json: overrides["a"].sdt: unknown key'],
  [
    { tensors: {}, initializers: { a: { init: 'ones', dtype: 'float16' } } },
    'r.json: initializers["a"].dtype: unknown key',
  ],
  [{ tensors: {}, layers: [] }, 'r.json: layers: expected an object from names to layers, but received []'],
])('%j is refused', (recipe, message) => {
  expect(() => planOf(recipe)).toThrow(InputError);
  expect(() => planOf(recipe)).toThrow(message);
});
