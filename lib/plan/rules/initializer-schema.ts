import { z } from 'zod';
import { didYouMean, isPlainObject, quoted, show } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { type JsonPath, showPath } from '../../core/json.js';
import { objectError, parseWith } from '../../core/json-problems.js';
import { definitionOf, type Initializer, names } from '../../init/initializers.js';
import { parameterSchema } from './parameter-schema.js';

/** The schemas of initializers as JSON objects, by name; `extra` are keys that stand beside the parameters. */
export function initializerSchemas(extra: Readonly<Record<string, z.ZodType>> = {}): ReadonlyMap<string, z.ZodObject> {
  return new Map(
    names.map((name) => {
      const { parameters, summary, formula } = definitionOf(name);
      const own = parameters.map((parameter) => [parameter.name, parameterSchema(parameter)]);
      const init = z.literal(name).describe(`${summary} ${formula}`);
      const keys = { ...extra, init, ...Object.fromEntries(own) } as Record<string, z.ZodType>;
      return [name as string, z.strictObject(keys, { error: objectError(Object.keys(keys)) })] as const;
    }),
  );
}

const schemas = initializerSchemas();

/** The names of initializers that need no parameters, and so may stand without an object. */
const bareNames = names.filter((name) => definitionOf(name).parameters.every(({ required }) => !required));

/** For editors: an initializer by name, or an object. */
export function anyInitializer(): z.ZodType {
  return z.union([z.enum(bareNames), ...schemas.values()]).meta({ id: 'initializer' });
}

/**
 * An initializer from JSON: an object, or the bare name where the defaults will do.
 *
 * @param path where it stands in the file
 * @throws InputError naming that path and what was expected
 */
export function parseInitializer(value: unknown, source: string, path: JsonPath): Initializer {
  const object = typeof value === 'string' ? { init: value } : value;
  const schema = schemaOf(schemas, object, source, path, typeof value === 'string');
  return parseWith(schema, object, source, path) as unknown as Initializer;
}

/** Looks at `init` first, so that what is wrong with the parameters is said of the initializer meant. */
export function schemaOf<T>(
  known: ReadonlyMap<string, T>,
  value: unknown,
  source: string,
  path: JsonPath,
  bare = false,
): T {
  if (!isPlainObject(value)) {
    const what = 'an initializer: a name, or an object with the name in "init"';
    return parseWith(z.never({ error: what }), value, source, path);
  }
  const { init } = value;
  const found = known.get(init as string);
  if (found !== undefined) return found;
  throw unknownName(init, names, source, bare ? path : [...path, 'init']);
}

/** The refusal of a name that is in no table, with the nearest one that is. */
export function unknownName(name: unknown, known: readonly string[], source: string, path: JsonPath): InputError {
  const received = name === undefined ? 'it is missing' : `received ${show(name)}`;
  const hint = typeof name === 'string' ? didYouMean(name, known) : undefined;
  const where = path.length === 0 ? source : `${source}: ${showPath(path)}`;
  const text = `${where}: expected one of ${quoted(known)}, but ${received}`;
  return new InputError(hint === undefined ? text : `${text} (${hint})`, { path: source });
}
