import picomatch from 'picomatch';
import { z } from 'zod';
import { did_you_mean, is_plain_object, quoted, show } from '../check.js';
import { type Dtype, dtypes } from '../dtype.js';
import { definition_of, type Initializer, names } from '../initializers.js';
import type { Parameter } from '../parameter.js';
import { InputError } from './errors.js';
import { type JsonDocument, type JsonPath, show_path } from './json.js';
import type { Plan, PlannedTensor } from './plan.js';
import { object_error, parse_with } from './problems.js';

/** The plan of a recipe, and what is odd about the recipe without being an error. */
export interface RecipePlan extends Plan {
  readonly warnings: readonly string[];
}

/** A rule from names to an initializer. */
interface Rule {
  readonly glob: string;
  readonly matches: (name: string) => boolean;
  readonly initializer: Initializer;
  used: boolean;
}

const dtype_names = Object.keys(dtypes) as Dtype[];

const dtype = z.enum(dtype_names, { error: `one of ${quoted(dtype_names)}` });

const dimension = z.int({
  error: ({ input }) => `a whole number ≥ 0${Number(input) > Number.MAX_SAFE_INTEGER ? ' and < 2^53' : ''}`,
});

const shape = z.array(dimension.min(0, { error: 'a whole number ≥ 0' }), {
  error: 'a shape: an array of whole numbers ≥ 0',
});

const tensor_keys = { shape, dtype: dtype.optional() };

/** The schema of one parameter, from the table of initializers. */
function parameter_schema(parameter: Parameter): z.ZodType {
  const least = 'min' in parameter && parameter.min !== undefined ? parameter.min : undefined;
  const bound = least === undefined ? '' : ` ≥ ${least}`;
  let schema: z.ZodType;
  switch (parameter.kind) {
    case 'number':
    case 'integer': {
      const error = parameter.kind === 'number' ? `a finite number${bound}` : `a whole number${bound}`;
      const number = parameter.kind === 'number' ? z.number({ error }) : z.int({ error });
      schema = least === undefined ? number : number.min(least, { error });
      break;
    }
    case 'enum':
      schema = z.enum(parameter.values, { error: `one of ${quoted(parameter.values)}` });
  }
  return parameter.required ? schema : schema.optional();
}

/** Initializers as JSON objects, from their table; `extra` are keys that stand beside the parameters. */
function initializer_schema(extra: Readonly<Record<string, z.ZodType>>) {
  return new Map(
    names.map((name) => {
      const parameters = definition_of(name).parameters.map((parameter) => [
        parameter.name,
        parameter_schema(parameter),
      ]);
      const keys = { ...extra, init: z.literal(name), ...Object.fromEntries(parameters) } as Record<string, z.ZodType>;
      return [name as string, z.strictObject(keys, { error: object_error(Object.keys(keys)) })] as const;
    }),
  );
}

const initializer_schemas = initializer_schema({});

const tensor_schemas = initializer_schema(tensor_keys);

const plain_tensor_keys = [...Object.keys(tensor_keys), 'init'];

const plain_tensor = z.strictObject(tensor_keys, {
  error: object_error(plain_tensor_keys, 'a shape, or an object with a shape'),
});

const recipe_keys = ['tensors', 'initializers', 'dtype', '$schema'];

const recipe = z.strictObject(
  {
    $schema: z.string({ error: 'a string' }).optional(),
    dtype: dtype.optional(),
    tensors: is_object('an object from names to shapes'),
    initializers: is_object('an object from globs to initializers').optional(),
  },
  {
    error: (issue) => {
      const text = object_error(recipe_keys)(issue);
      const seed = issue.code === 'unrecognized_keys' && issue.keys.includes('seed');
      return seed ? `${text}; the seed is no part of a recipe: give it with --seed` : text;
    },
  },
);

// Not z.record: it drops "__proto__", and the order of the keys is read from the text.
function is_object(error: string) {
  return z.custom<Readonly<Record<string, unknown>>>(is_plain_object, { error });
}

/**
 * The plan of a recipe: docs/recipes.md.
 *
 * @param override the dtype of tensors that name none, in place of the recipe's own
 * @throws InputError naming the JSON path and what was expected there
 */
export function plan_of_recipe(document: JsonDocument, override?: Dtype): RecipePlan {
  const { source, value } = document;
  const parsed = parse_with(recipe, value, source);
  const default_dtype = override ?? parsed.dtype ?? 'float32';
  const rules = document.keys_of('initializers').map((glob): Rule => {
    const path = ['initializers', glob];
    const initializer = parse_initializer(parsed.initializers?.[glob], source, path);
    return { glob, matches: matcher(glob, source), initializer, used: false };
  });
  const tensors = document.keys_of('tensors').map((name): PlannedTensor => {
    const given = parse_tensor(parsed.tensors[name], source, ['tensors', name]);
    return {
      name,
      shape: given.shape,
      dtype: given.dtype ?? default_dtype,
      initializer: given.initializer ?? by_rule(rules, name, source),
    };
  });
  const idle = rules.filter((rule) => !rule.used && !tensors.some(({ name }) => rule.matches(name)));
  const warnings = idle.map((rule) => `${source}: ${show_path(['initializers', rule.glob])} matches no tensor`);
  return { tensors, warnings };
}

interface GivenTensor {
  readonly shape: readonly number[];
  readonly dtype?: Dtype | undefined;
  readonly initializer?: Initializer;
}

function parse_tensor(value: unknown, source: string, path: JsonPath): GivenTensor {
  if (Array.isArray(value)) return { shape: parse_with(shape, value, source, path) };
  if (!is_plain_object(value) || !Object.hasOwn(value, 'init')) return parse_with(plain_tensor, value, source, path);
  const parsed = parse_with(schema_of(tensor_schemas, value, source, path), value, source, path);
  const { shape: given, dtype: own, ...initializer } = parsed;
  return {
    shape: given as number[],
    dtype: own as Dtype | undefined,
    initializer: initializer as unknown as Initializer,
  };
}

function parse_initializer(value: unknown, source: string, path: JsonPath): Initializer {
  const object = typeof value === 'string' ? { init: value } : value;
  const schema = schema_of(initializer_schemas, object, source, path, typeof value === 'string');
  return parse_with(schema, object, source, path) as unknown as Initializer;
}

/** Looks at `init` first, so that what is wrong with the parameters is said of the initializer meant. */
function schema_of<T>(
  schemas: ReadonlyMap<string, T>,
  value: unknown,
  source: string,
  path: JsonPath,
  bare = false,
): T {
  if (!is_plain_object(value)) {
    const what = 'an initializer: a name, or an object with the name in "init"';
    return parse_with(z.never({ error: what }), value, source, path);
  }
  const { init } = value;
  const found = schemas.get(init as string);
  if (found !== undefined) return found;
  const where = show_path(bare ? path : [...path, 'init']);
  const received = init === undefined ? 'it is missing' : `received ${show(init)}`;
  const hint = typeof init === 'string' ? did_you_mean(init, names) : undefined;
  const text = `${source}: ${where}: expected one of ${quoted(names)}, but ${received}`;
  throw new InputError(hint === undefined ? text : `${text} (${hint})`, { path: source });
}

function by_rule(rules: readonly Rule[], name: string, source: string): Initializer {
  const rule = rules.findLast((candidate) => candidate.matches(name));
  if (rule === undefined) {
    const what = 'expected an initializer: its own "init", or a rule in "initializers" that matches its name';
    throw new InputError(`${source}: ${show_path(['tensors', name])}: ${what}`, { path: source });
  }
  rule.used = true;
  return rule.initializer;
}

/** A glob over whole names: `*` also crosses dots and slashes. */
function matcher(glob: string, source: string): (name: string) => boolean {
  if (glob === '*') return () => true;
  try {
    const matches = picomatch(glob, {
      bash: true, // * crosses slashes
      dot: true, // and leading dots
      flags: 's', // and line breaks
      nonegate: true, // a leading ! is a character
      strictSlashes: true, // a trailing slash counts
      windows: false,
    });
    return (name) => name === glob || matches(name);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${source}: ${show_path(['initializers', glob])}: expected a glob: ${message}`, {
      path: source,
      cause,
    });
  }
}
