import { z } from 'zod';
import { isPlainObject } from '../../core/check.js';
import { objectError } from '../../core/json-problems.js';
import type { Parameter } from '../../core/parameter.js';
import { filledDtype, shapeSchema, storedDtype } from '../../core/schemas.js';
import { type LayerKind, layerDefinition, layerKinds } from '../../nn/modules/table.js';
import { loraSchema } from '../lora/schema.js';
import { type Preset, presets } from '../presets/index.js';
import { roleNames, roles } from '../presets/roles.js';
import { anyInitializer, initializerSchemas } from '../rules/initializer-schema.js';
import { parameterSchema } from '../rules/parameter-schema.js';

const tensorKeys = { shape: shapeSchema, dtype: storedDtype.optional() };

/** Tensors with an initializer of their own, by its name. */
export const tensorSchemas = initializerSchemas(tensorKeys);

/** A tensor without one. */
export const plainTensor = z.strictObject(tensorKeys, {
  error: objectError([...Object.keys(tensorKeys), 'init'], 'a shape, or an object with a shape'),
});

// ---- layers ----

/** The schema of one kind of layer: `layer`, PyTorch's arguments, and the dtype of its tensors, which layers within another have not. */
export function layerSchema(
  kind: LayerKind,
  nested: z.ZodType = anyObject('a layer: an object with its "layer"'),
  isWithin = false,
): z.ZodObject {
  const definition = layerDefinition(kind);
  const keys: Record<string, z.ZodType> = {
    layer: z.literal(kind).describe(`${definition.summary} ${definition.initialization}`),
    ...(!isWithin && { dtype: filledDtype.optional() }),
  };
  for (const argument of definition.arguments) keys[argument.name] = parameterSchema(argument, nested);
  return z.strictObject(keys, { error: objectError(Object.keys(keys)) });
}

// ---- presets ----

/** A preset's defaults stand in its schema. */
function presetParameter(parameter: Parameter): z.ZodType {
  const { doc, default: value } = parameter;
  return parameterSchema(value === undefined ? parameter : { ...parameter, doc: `${doc} (default: ${value})` });
}

const globs = z.union([z.string(), z.array(z.string()).min(1)], { error: 'a glob, or an array of globs' });

/** The schema of one preset: its name, its parameters, and globs of roles. */
export function presetSchema(name: string, { summary, parameters, rules, namedRoles = [] }: Preset): z.ZodObject {
  const used = roleNames.filter((role) => rules.some((rule) => rule.role === role));
  const byRole = used.map((role) => {
    const described = globs.describe(roles[role].doc);
    return [role, namedRoles.includes(role) ? described : described.optional()] as const;
  });
  const roleSchema = z.strictObject(Object.fromEntries(byRole), {
    error: objectError(used, 'an object from roles to globs'),
  });
  const keys = {
    name: z.literal(name).describe(summary),
    ...Object.fromEntries(parameters.map((parameter) => [parameter.name, presetParameter(parameter)])),
    roles: namedRoles.length > 0 ? roleSchema : roleSchema.optional(),
  };
  return z.strictObject(keys, { error: objectError(Object.keys(keys)) });
}

/** Whether a preset's bare name will do. */
function isBare({ parameters, namedRoles = [] }: Preset): boolean {
  return namedRoles.length === 0 && parameters.every(({ required }) => !required);
}

// ---- the whole ----

export const recipeKeys = [
  'dtype',
  'model',
  'like',
  'lora',
  'mtp',
  'layers',
  'tensors',
  'initializers',
  'preset',
  'overrides',
  '$schema',
];

// Not z.record: it drops "__proto__", and the order of the keys is read from the text.
function anyObject(error: string) {
  return z.custom<Readonly<Record<string, unknown>>>(isPlainObject, { error });
}

/** A recipe's top level; what stands in its objects is checked one by one. */
export const recipeSchema = z.strictObject(
  {
    $schema: z.string({ error: 'a string' }).optional(),
    dtype: filledDtype.optional(),
    model: z
      .union([z.string().min(1), anyObject('an object')], {
        error: 'a path to a config.json, the name of a model, or a config as an object',
      })
      .optional(),
    like: z.string({ error: 'a path to a checkpoint' }).min(1, { error: 'a path to a checkpoint' }).optional(),
    lora: loraSchema.optional(),
    mtp: z.boolean({ error: 'true or false' }).optional(),
    layers: anyObject('an object from names to layers').optional(),
    tensors: anyObject('an object from names to shapes').optional(),
    initializers: anyObject('an object from globs to initializers').optional(),
    preset: z.unknown().optional(),
    overrides: anyObject('an object from globs to initializers').optional(),
  },
  {
    error: (issue) => {
      const text = objectError(recipeKeys)(issue);
      const seed = issue.code === 'unrecognized_keys' && issue.keys.includes('seed');
      return seed ? `${text}; the seed is no part of a recipe: give it as an option` : text;
    },
  },
);

function anyLayer(): z.ZodType {
  // A lazy one in between, since describing a lazy schema copies it, and copies of copies would have no end.
  const nested: z.ZodType = z.lazy(() => layer);
  const layer: z.ZodType = z
    .lazy(() => z.union(layerKinds.map((kind) => layerSchema(kind, nested))))
    .meta({ id: 'layer', description: "a layer of torch.nn by its class's name, with PyTorch's arguments" });
  return layer;
}

function anyPreset(): z.ZodType {
  const all = Object.entries(presets);
  const bare = all.filter(([, preset]) => isBare(preset)).map(([name]) => name);
  return z.union([z.enum(bare), ...all.map(([name, preset]) => presetSchema(name, preset))]).meta({ id: 'preset' });
}

function anyTensor(): z.ZodType {
  return z.union([shapeSchema, plainTensor, ...tensorSchemas.values()]).meta({ id: 'tensor' });
}

/** What an override may be. */
function anyChange(initializer: z.ZodType): z.ZodType {
  const withDtype = initializerSchemas({ dtype: storedDtype }).values();
  return z.union([z.strictObject({ dtype: storedDtype }), initializer, ...withDtype]).meta({ id: 'change' });
}

/** The schema that editors get: the same in one piece. */
export function publishedSchema(): z.ZodType {
  const initializer = anyInitializer();
  const layer = anyLayer();
  const preset = anyPreset();
  const tensor = anyTensor();
  const change = anyChange(initializer);
  const shape = {
    $schema: z.string().optional(),
    dtype: filledDtype.optional().describe('of what names none; of all tensors of a model'),
    model: z
      .union([z.string().min(1), z.record(z.string(), z.unknown())])
      .optional()
      .describe("a config.json's path, seen from the recipe's folder; a known model's name; or a config itself"),
    like: z
      .string()
      .min(1)
      .optional()
      .describe("a checkpoint's path, seen from the recipe's folder: names, shapes, dtypes"),
    lora: loraSchema.optional(),
    mtp: z
      .boolean()
      .optional()
      .describe('with the layers of the model that predict further tokens, num_nextn_predict_layers in its config'),
    layers: z
      .record(z.string(), layer)
      .optional()
      .describe('layers of torch.nn by their names; braces repeat: h.{0..11}'),
    tensors: z
      .record(z.string(), tensor)
      .optional()
      .describe('tensors by their names; braces repeat: h.{0..11}.weight'),
    initializers: z
      .record(z.string(), initializer)
      .optional()
      .describe('from globs to initializers, for tensors that have none yet; the last one that matches counts'),
    preset: z
      .union([preset, z.array(preset)])
      .optional()
      .describe('published schemes, one after the other'),
    overrides: z
      .record(z.string(), change)
      .optional()
      .describe(
        'from globs to initializers or dtypes that replace what a tensor has; the last one that matches counts',
      ),
  };
  return z.strictObject(shape).meta({
    title: 'nninit recipe',
    description: 'Tensors of a model and how they are initialized: docs/recipes.md of nninit',
  });
}

/** docs/recipe.schema.json. */
export function recipeJsonSchema(): unknown {
  return z.toJSONSchema(publishedSchema(), {
    io: 'input',
    target: 'draft-2020-12',
    override({ jsonSchema: schema }) {
      // What zod adds to each integer and each record says nothing here.
      if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
      if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
      delete schema.propertyNames;
    },
  });
}
