import { isPlainObject } from '../../core/check.js';
import type { Dtype } from '../../core/dtype.js';
import { InputError } from '../../core/errors.js';
import { type JsonDocument, type JsonPath, showPath } from '../../core/json.js';
import { parseWith } from '../../core/json-problems.js';
import { shapeSchema } from '../../core/schemas.js';
import { isFillable, type StoredDtype } from '../../core/stored-dtype.js';
import type { Initializer } from '../../init/initializers.js';
import { mostTensors } from '../../nn/flatten.js';
import type { PlannedTensor } from '../plan.js';
import { expandBraces } from '../rules/globs.js';
import { schemaOf } from '../rules/initializer-schema.js';
import type { Rule } from '../rules/rules.js';
import { plainTensor, tensorSchemas } from './schema.js';

/** The names that a key of `tensors` or `layers` stands for. */
export function namesOfKey(key: string, source: string, path: JsonPath): string[] {
  try {
    return expandBraces(key);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new InputError(`${source}: ${showPath(path)}: ${cause.message}`, { path: source, cause });
  }
}

/** Notes where a tensor comes from; refuses names that are there already. */
export function claim(name: string, path: JsonPath, source: string, places: Map<string, string>): void {
  const place = showPath(path);
  const there = places.get(name);
  const refuse = (what: string) => new InputError(`${source}: ${place}: ${what}`, { path: source });
  if (there !== undefined) {
    const hint = there.startsWith('tensor ')
      ? 'the model has it already; "overrides" change it'
      : `${there} makes it already`;
    throw refuse(`expected each tensor once, but ${JSON.stringify(name)} is there twice: ${hint}`);
  }
  if (places.size >= mostTensors) throw refuse(`expected at most ${mostTensors} tensors in all`);
  places.set(name, place);
}

/** The tensors that a recipe lists. */
export interface ListedTensors {
  readonly tensors: readonly PlannedTensor[];
  /** Those with an initializer of their own, which presets leave alone. */
  readonly fixed: ReadonlySet<string>;
  /** The initializer, by identity, of those that have none yet. */
  readonly missing: Initializer;
}

interface GivenTensor {
  readonly shape: readonly number[];
  readonly dtype?: StoredDtype | undefined;
  readonly initializer?: Initializer;
}

/** `tensors`: each with its own initializer, that of the last rule which matches its name, or none yet. */
export function recipeTensors(
  document: JsonDocument,
  given: Readonly<Record<string, unknown>> | undefined,
  dtype: Dtype,
  rules: readonly Rule[],
  places: Map<string, string>,
): ListedTensors {
  const { source } = document;
  const missing: Initializer = { init: 'zeros' };
  const fixed = new Set<string>();
  const tensors = document.keysOf('tensors').flatMap((key) => {
    const path = ['tensors', key];
    const tensor = parseTensor(given?.[key], source, path);
    const used = tensor.dtype ?? dtype;
    const fallback = isFillable(used) ? missing : 'zeros';
    return namesOfKey(key, source, path).map((name): PlannedTensor => {
      claim(name, path, source, places);
      if (tensor.initializer !== undefined) fixed.add(name);
      // As of overrides: true globs leave codes and counters alone.
      const byRule = rules.findLast(({ glob, matches }) => (isFillable(used) || glob === name) && matches(name));
      return {
        name,
        shape: tensor.shape,
        dtype: used,
        initializer: tensor.initializer ?? byRule?.initializer ?? fallback,
      };
    });
  });
  return { tensors, fixed, missing };
}

function parseTensor(value: unknown, source: string, path: JsonPath): GivenTensor {
  if (Array.isArray(value)) return { shape: parseWith(shapeSchema, value, source, path) };
  if (!isPlainObject(value) || !Object.hasOwn(value, 'init')) return parseWith(plainTensor, value, source, path);
  const parsed = parseWith(schemaOf(tensorSchemas, value, source, path), value, source, path);
  const { shape, dtype, ...initializer } = parsed;
  return {
    shape: shape as number[],
    dtype: dtype as StoredDtype | undefined,
    initializer: initializer as unknown as Initializer,
  };
}
