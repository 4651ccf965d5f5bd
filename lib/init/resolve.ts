import {
  checkDtype,
  checkOptions,
  checkShape,
  didYouMean,
  isPlainObject,
  quoted,
  rangeError,
  typeError,
  unknownOption,
} from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { checkParameter, type Parameter } from '../core/parameter.js';
import type { Definition } from './definition.js';
import { definitionOf, type Initializer, initializers, type Name, names } from './initializers.js';

/**
 * Checks options given by name and fills in the defaults.
 *
 * @param known further names that the caller looks after itself
 */
export function valuesOf(
  fn: string,
  { parameters }: Definition,
  options: Readonly<Record<string, unknown>>,
  known: readonly string[] = [],
): Record<string, number | string | undefined> {
  const all = [...parameters.map((parameter) => parameter.name), ...known];
  for (const name of Object.keys(options)) {
    if (!all.includes(name)) throw unknownOption(fn, name, all);
  }
  const values: Record<string, number | string | undefined> = {};
  for (const parameter of parameters) {
    const given = Object.hasOwn(options, parameter.name) ? options[parameter.name] : undefined;
    if (given !== undefined) values[parameter.name] = checkParameter(fn, parameter, given);
    else values[parameter.name] = defaultOf(fn, parameter);
  }
  return values;
}

/** The default of a parameter; throws where it must be given. */
export function defaultOf(fn: string, parameter: Parameter): number | string | undefined {
  if (parameter.required) checkParameter(fn, parameter, undefined);
  return parameter.default;
}

/**
 * Resolves an initializer on a shape: pure, and no memory needed. What a recipe or a plan says becomes the few numbers that
 * the kernels know.
 *
 *     resolve({ init: 'kaiming_normal', nonlinearity: 'relu' }, [64, 3, 7, 7])   // { kind: 'normal', mean: 0, std: 0.1166… }
 *     resolve('zeros', [64])                                                    // { kind: 'constant', value: 0 }
 *
 * @param options.dtype what the numbers must fit; float32 by default
 * @throws TypeError and RangeError as `init.*_` does, in the initializer's name
 */
export function resolve(
  initializer: Initializer,
  shape: readonly number[],
  options?: { readonly dtype?: Dtype | undefined },
): Fill {
  const { dtype = 'float32' } = checkOptions('resolve', options, ['dtype']);
  const site = { fn: 'resolve', shape, size: checkShape('resolve', shape), dtype: checkDtype('resolve', dtype) };
  if (typeof initializer !== 'string' && !isPlainObject(initializer)) {
    throw typeError('resolve', 'initializer', 'a name or a plain object with a name in init', initializer);
  }
  const { init, ...rest }: Record<string, unknown> =
    typeof initializer === 'string' ? { init: initializer } : initializer;
  const fn = checkName(init);
  const definition = definitionOf(fn);
  return definition.resolve({ ...site, fn }, valuesOf(fn, definition, rest));
}

function checkName(init: unknown): Name {
  if (typeof init === 'string' && Object.hasOwn(initializers, init)) return init as Name;
  const what = `one of ${quoted(names)}`;
  if (typeof init !== 'string') throw typeError('resolve', 'init', what, init);
  throw rangeError('resolve', 'init', what, init, didYouMean(init, names));
}
