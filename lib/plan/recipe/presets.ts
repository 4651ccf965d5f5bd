import { isPlainObject } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { type JsonPath, showPath } from '../../core/json.js';
import { parseWith } from '../../core/json-problems.js';
import type { ChosenPreset } from '../presets/apply.js';
import { presetNames, presets } from '../presets/index.js';
import type { RoleName } from '../presets/roles.js';
import { matcher } from '../rules/globs.js';
import { unknownName } from '../rules/initializer-schema.js';
import { presetSchema } from './schema.js';

/** `preset`: one, or several one after the other; each a name, or an object with the name, parameters and roles. */
export function recipePresets(given: unknown, source: string): ChosenPreset[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) return [parsePreset(given, source, ['preset'])];
  return given.map((each: unknown, i) => parsePreset(each, source, ['preset', i]));
}

function parsePreset(given: unknown, source: string, path: JsonPath): ChosenPreset {
  const bare = typeof given === 'string';
  const value = bare ? { name: given } : given;
  const place = `${source}: ${showPath(path)}`;
  if (!isPlainObject(value)) {
    const what = 'expected a preset: a name, or an object with the "name"';
    throw new InputError(`${place}: ${what}`, { path: source });
  }
  const { name } = value;
  const preset = typeof name === 'string' && Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset === undefined || typeof name !== 'string') {
    throw unknownName(name, presetNames, source, bare ? path : [...path, 'name']);
  }
  const { name: _, roles, ...values } = parseWith(presetSchema(name, preset), value, source, path);
  const defaults = preset.parameters.map((parameter) => [parameter.name, values[parameter.name] ?? parameter.default]);
  return {
    name,
    values: Object.fromEntries(defaults) as Record<string, number | undefined>,
    roles: parseRoles(roles as Readonly<Record<string, string | readonly string[]>> | undefined, source, [
      ...path,
      'roles',
    ]),
    place,
  };
}

function parseRoles(
  given: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  source: string,
  path: JsonPath,
): ChosenPreset['roles'] {
  const roles: Partial<Record<RoleName, readonly string[]>> = {};
  for (const [role, globs] of Object.entries(given)) {
    if (globs === undefined) continue;
    const list = typeof globs === 'string' ? [globs] : globs;
    try {
      for (const glob of list) matcher(glob);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new InputError(`${source}: ${showPath([...path, role])}: expected globs: ${message}`, {
        path: source,
        cause,
      });
    }
    roles[role as RoleName] = list;
  }
  return roles;
}
