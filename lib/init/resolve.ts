import { readOptions } from '../core/arguments.js';
import {
  checkDtype,
  checkOptions,
  checkShape,
  didYouMean,
  isPlainObject,
  quoted,
  rangeError,
  typeError,
} from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { definitionOf, type Initializer, initializers, type Name, names } from './initializers.js';

/**
 * Resolves an initializer on a shape: pure, and no memory needed. What a recipe or a plan says becomes the few numbers that
 * the kernels know.
 *
 *     resolve({ init: 'kaiming_normal', nonlinearity: 'relu' }, [64, 3, 7, 7])   // { kind: 'normal', mean: 0, std: 0.1166… }
 *     resolve('zeros', [64])                                                    // { kind: 'constant', value: 0 }
 *
 * @param initializer a name, or an object with a name in `init` and parameters beside it
 * @param shape integers ≥ 0
 * @param options.dtype what the numbers must fit; float32 by default
 * @throws TypeError and RangeError as `init.*_` does, in the initializer's name
 */
export function resolve(
  initializer: Initializer,
  shape: readonly number[],
  options?: { readonly dtype?: Dtype | undefined },
): Fill {
  return resolveFor('resolve', initializer, shape, options);
}

/** `resolve` for another function that was given the initializer, which is what its refusals name. */
export function resolveFor(
  caller: string,
  initializer: unknown,
  shape: readonly number[],
  options?: { readonly dtype?: Dtype | undefined },
): Fill {
  const { dtype = 'float32' } = checkOptions(caller, options, ['dtype']);
  const site = { fn: caller, shape, size: checkShape(caller, shape), dtype: checkDtype(caller, dtype) };
  if (typeof initializer !== 'string' && !isPlainObject(initializer)) {
    throw typeError(caller, 'initializer', 'a name or a plain object with a name in init', initializer);
  }
  const { init, ...rest }: Record<string, unknown> =
    typeof initializer === 'string' ? { init: initializer } : initializer;
  const fn = checkName(caller, init);
  const definition = definitionOf(fn);
  return definition.resolve({ ...site, fn }, readOptions(fn, definition.parameters, rest));
}

function checkName(caller: string, init: unknown): Name {
  if (typeof init === 'string' && Object.hasOwn(initializers, init)) return init as Name;
  const what = `one of ${quoted(names)}`;
  if (typeof init !== 'string') throw typeError(caller, 'init', what, init);
  throw rangeError(caller, 'init', what, init, didYouMean(init, names));
}
