import { z } from 'zod';
import { did_you_mean, is_plain_object, quoted, show } from '../../core/check.js';
import { dtypes } from '../../core/dtype.js';
import { InputError } from '../../core/errors.js';
import { type JsonPath, show_path } from '../../core/json.js';
import { object_error, parse_with } from '../../core/json-problems.js';
import type { Parameter } from '../../core/parameter.js';
import { is_fillable, stored_names } from '../../core/stored-dtype.js';
import { definition_of, type Initializer, names } from '../../init/initializers.js';

/** A dtype that can be filled. */
export const filled_dtype = one_of(Object.keys(dtypes) as (keyof typeof dtypes)[]).meta({ id: 'dtype' });

/** A dtype that a file can hold. */
export const stored_dtype = one_of(
  [...stored_names].sort((a, b) => Number(is_fillable(b)) - Number(is_fillable(a))),
).meta({ id: 'stored_dtype' });

function one_of<const T extends string>(values: readonly T[]) {
  return z.enum(values, { error: `one of ${quoted(values)}` });
}

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
      schema = one_of(parameter.values);
  }
  schema = schema.describe(parameter.doc);
  return parameter.required ? schema : schema.optional();
}

/** The schemas of initializers as JSON objects, by name; `extra` are keys that stand beside the parameters. */
export function initializer_schemas(extra: Readonly<Record<string, z.ZodType>> = {}): ReadonlyMap<string, z.ZodObject> {
  return new Map(
    names.map((name) => {
      const { parameters, summary, formula } = definition_of(name);
      const own = parameters.map((parameter) => [parameter.name, parameter_schema(parameter)]);
      const init = z.literal(name).describe(`${summary} ${formula}`);
      const keys = { ...extra, init, ...Object.fromEntries(own) } as Record<string, z.ZodType>;
      return [name as string, z.strictObject(keys, { error: object_error(Object.keys(keys)) })] as const;
    }),
  );
}

const schemas = initializer_schemas();

/** The names of initializers that need no parameters, and so may stand without an object. */
const bare_names = names.filter((name) => definition_of(name).parameters.every(({ required }) => !required));

/** For editors: an initializer by name, or an object. */
export function any_initializer(): z.ZodType {
  return z.union([z.enum(bare_names), ...schemas.values()]).meta({ id: 'initializer' });
}

/**
 * An initializer from JSON: an object, or the bare name where the defaults will do.
 *
 * @param path where it stands in the file
 * @throws InputError naming that path and what was expected
 */
export function parse_initializer(value: unknown, source: string, path: JsonPath): Initializer {
  const object = typeof value === 'string' ? { init: value } : value;
  const schema = schema_of(schemas, object, source, path, typeof value === 'string');
  return parse_with(schema, object, source, path) as unknown as Initializer;
}

/** Looks at `init` first, so that what is wrong with the parameters is said of the initializer meant. */
export function schema_of<T>(
  known: ReadonlyMap<string, T>,
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
  const found = known.get(init as string);
  if (found !== undefined) return found;
  throw unknown_name(init, names, source, bare ? path : [...path, 'init']);
}

/** The refusal of a name that is in no table, with the nearest one that is. */
export function unknown_name(name: unknown, known: readonly string[], source: string, path: JsonPath): InputError {
  const received = name === undefined ? 'it is missing' : `received ${show(name)}`;
  const hint = typeof name === 'string' ? did_you_mean(name, known) : undefined;
  const where = path.length === 0 ? source : `${source}: ${show_path(path)}`;
  const text = `${where}: expected one of ${quoted(known)}, but ${received}`;
  return new InputError(hint === undefined ? text : `${text} (${hint})`, { path: source });
}
