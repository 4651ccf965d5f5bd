import {
  check_dtype,
  check_options,
  check_shape,
  did_you_mean,
  is_plain_object,
  quoted,
  range_error,
  type_error,
  unknown_option,
} from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { check_parameter, type Parameter } from '../core/parameter.js';
import type { Definition } from './definition.js';
import { definition_of, type Initializer, initializers, type Name, names } from './initializers.js';

/**
 * Checks options given by name and fills in the defaults.
 *
 * @param known further names that the caller looks after itself
 */
export function values_of(
  fn: string,
  { parameters }: Definition,
  options: Readonly<Record<string, unknown>>,
  known: readonly string[] = [],
): Record<string, number | string | undefined> {
  const all = [...parameters.map((parameter) => parameter.name), ...known];
  for (const name of Object.keys(options)) {
    if (!all.includes(name)) throw unknown_option(fn, name, all);
  }
  const values: Record<string, number | string | undefined> = {};
  for (const parameter of parameters) {
    const given = Object.hasOwn(options, parameter.name) ? options[parameter.name] : undefined;
    if (given !== undefined) values[parameter.name] = check_parameter(fn, parameter, given);
    else values[parameter.name] = default_of(fn, parameter);
  }
  return values;
}

/** The default of a parameter; throws where it must be given. */
export function default_of(fn: string, parameter: Parameter): number | string | undefined {
  if (parameter.required) check_parameter(fn, parameter, undefined);
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
  const { dtype = 'float32' } = check_options('resolve', options, ['dtype']);
  const site = { fn: 'resolve', shape, size: check_shape('resolve', shape), dtype: check_dtype('resolve', dtype) };
  if (typeof initializer !== 'string' && !is_plain_object(initializer)) {
    throw type_error('resolve', 'initializer', 'a name or a plain object with a name in init', initializer);
  }
  const { init, ...rest }: Record<string, unknown> =
    typeof initializer === 'string' ? { init: initializer } : initializer;
  const fn = check_name(init);
  const definition = definition_of(fn);
  return definition.resolve({ ...site, fn }, values_of(fn, definition, rest));
}

function check_name(init: unknown): Name {
  if (typeof init === 'string' && Object.hasOwn(initializers, init)) return init as Name;
  const what = `one of ${quoted(names)}`;
  if (typeof init !== 'string') throw type_error('resolve', 'init', what, init);
  throw range_error('resolve', 'init', what, init, did_you_mean(init, names));
}
