import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readJson } from '../../../lib/core/json.js';
import { names } from '../../../lib/init/initializers.js';
import { layerKinds } from '../../../lib/nn/layers/index.js';
import { resolvePlan } from '../../../lib/plan/plan.js';
import { presetNames } from '../../../lib/plan/presets/index.js';
import { planOfRecipe } from '../../../lib/plan/recipe/recipe.js';
import { publishedSchema, recipeJsonSchema } from '../../../lib/plan/recipe/schema.js';
import { loadSource } from '../load-source.js';

const root = new URL('../../../', import.meta.url);
const examples = readdirSync(new URL('examples/recipes', root)).filter((name) => name.endsWith('.json'));

test('docs/recipe.schema.json is the schema of this version (`npx vitest run test/plan/recipe/schema -u` writes it)', async () => {
  await expect(`${JSON.stringify(recipeJsonSchema(), null, 1)}\n`).toMatchFileSnapshot(
    '../../../docs/recipe.schema.json',
  );
});

test('editors are told every initializer, layer and preset', () => {
  const text = JSON.stringify(recipeJsonSchema());
  for (const name of [...names, ...layerKinds, ...presetNames]) expect(text).toContain(`"const":"${name}"`);
});

test.each(examples)('examples/recipes/%s is a plan, without warnings, and names the schema', async (name) => {
  const path = new URL(`examples/recipes/${name}`, root);
  const value = JSON.parse(readFileSync(path, 'utf8')) as { readonly $schema?: string };
  expect(value.$schema).toBe('../../docs/recipe.schema.json');
  expect(publishedSchema().safeParse(value).success).toBe(true);
  const { tensors, warnings } = await loadSource({ input: fileURLToPath(path) });
  expect(warnings).toEqual([]);
  expect(tensors.length).toBeGreaterThan(3);
});

const tensors = { 'h.{0,1}.w': [2, 2] };
const zeros = { '*': 'zeros' };
const linear = { layer: 'Linear', in_features: 2, out_features: 2 };

// [a recipe, whether it is one]
test.each<[unknown, boolean]>([
  [{ tensors: {} }, true],
  [{ tensors, initializers: zeros, dtype: 'bfloat16', $schema: 'x' }, true],
  [{ tensors, initializers: zeros, dtype: 'int64' }, false],
  [{ tensors: { a: { shape: [1], dtype: 'int64' } } }, true],
  [{ tensors: { a: { shape: [1], dtype: 'int65' } } }, false],
  [{ tensors: { a: { shape: [1], init: 'normal', std: 2 } } }, true],
  [{ tensors: { a: { shape: [1], init: 'normal', std: -2 } } }, false],
  [{ tensors: { a: { shape: [1], init: 'constant' } } }, false],
  [{ tensors: { a: { init: 'normal' } } }, false],
  [{ tensors: { a: [-1] } }, false],
  [{ tensors: { a: [2 ** 53] } }, false],
  [{ tensors, initializers: { '*': 'constant' } }, false],
  [{ tensors, initializers: { '*': { init: 'constant', val: 1 } } }, true],
  [{ tensors, initializers: { '*': { init: 'ones', dtype: 'float16' } } }, false],
  [{ tensors, initializers: zeros, overrides: { '*': { init: 'ones', dtype: 'float16' } } }, true],
  [{ tensors, initializers: zeros, overrides: { '*': { dtype: 'float16' } } }, true],
  [{ tensors, initializers: zeros, overrides: { '*': { dtype: 'float16', std: 1 } } }, false],
  [{ tensors, initializers: zeros, overrides: { '*': {} } }, false],
  [{ layers: { a: linear } }, true],
  [{ layers: { a: { ...linear, bias: false, dtype: 'float64' } } }, true],
  [{ layers: { a: { ...linear, dtype: 'int64' } } }, false],
  [{ layers: { a: { ...linear, layer: 'Lineal' } } }, false],
  [{ layers: { a: { layer: 'Conv2d', in_channels: 1, out_channels: 1, kernel_size: [1, 2] } } }, true],
  [{ layers: { a: { layer: 'Conv2d', in_channels: 1, out_channels: 1, kernel_size: [1] } } }, false],
  [
    {
      layers: {
        a: {
          layer: 'TransformerEncoder',
          num_layers: 1,
          norm: null,
          encoder_layer: { layer: 'TransformerEncoderLayer', d_model: 2, nhead: 1 },
        },
      },
    },
    true,
  ],
  [{ layers: { a: { layer: 'TransformerEncoder', num_layers: 1, encoder_layer: { layer: 'X' } } } }, false],
  [{ tensors, preset: 'dummy' }, true],
  [{ tensors, preset: ['dummy', { name: 'bert', std: 1 }] }, true],
  [{ tensors, preset: 'deepnorm' }, false],
  [{ tensors, preset: { name: 'dummy', roles: { matrix: ['*', 'b'] } } }, true],
  [{ tensors, preset: { name: 'dummy', roles: { matrix: [] } } }, false],
  [{ tensors, preset: { name: 'dummy', roles: { query: 'b' } } }, false],
  [{ tensors, preset: { name: 'fixup', blocks: 1, convolutions: 5 } }, false],
  [{ tensors, seed: 1 }, false],
  [[], false],
])('the schema for editors and nninit agree on %j', (recipe, good) => {
  expect(publishedSchema().safeParse(recipe).success).toBe(good);
  const plan = () => resolvePlan(planOfRecipe(readJson(Buffer.from(JSON.stringify(recipe)), 'r.json')));
  if (good) plan();
  else expect(plan).toThrow();
});
