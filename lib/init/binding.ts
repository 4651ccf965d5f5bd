import { type Arguments, argumentsOf, readArguments, type Setting, type Values } from '../core/arguments.js';
import { checkInteger, typeError, typeName } from '../core/check.js';
import type { Fill } from '../core/fill.js';
import { maxThreads } from '../native/addon.js';
import { default_generator, Generator } from '../random/generator.js';
import { asTarget, drawnIn, isNarrowTarget, type Target } from '../tensor/target.js';
import { checkNarrowFill } from './check-narrow-fill.js';
import type { Definition } from './definition.js';
import { inexactness } from './inexact.js';
import { definitionOf, type Name } from './initializers.js';

/** A number of threads as a caller gives it: 1 to maxThreads. */
export function checkThreads(fn: string, value: unknown): number {
  return checkInteger(fn, 'threads', value, 1, maxThreads);
}

/** A generator as a caller gives it. */
export function checkGenerator(fn: string, value: unknown): Generator {
  if (value instanceof Generator) return value;
  const why = isOtherGenerator(value)
    ? 'it is of another installed copy of nninit: `npm ls nninit` shows them'
    : undefined;
  throw typeError(fn, 'generator', 'a Generator', value, why);
}

/** Of another copy of the package, whose class is another one. */
function isOtherGenerator(value: unknown): boolean {
  return typeName(value) === 'Generator' && typeof (value as { initial_seed?: unknown }).initial_seed === 'function';
}

/** The keyword `threads`. */
export const threadsSetting = { kind: 'setting', name: 'threads', check: checkThreads } as const satisfies Setting;

/** The keyword `generator`. */
export const generatorSetting = {
  kind: 'setting',
  name: 'generator',
  what: 'a Generator',
  check: checkGenerator,
} as const satisfies Setting;

/** A call of `init.*_`, all of it checked and none of it done: what an executor needs to do it. */
export interface Call {
  readonly fn: string;
  readonly tensor: Target;
  readonly fill: Fill;
  /** Whether it takes a stream of the generator, which it does if it is random and has elements. */
  readonly random: boolean;
  /** The generator that was given, if one was. */
  readonly generator: Generator | undefined;
  /** The threads that were asked for; 0 for the number of set_num_threads. */
  readonly threads: number;
  /** All arguments by name, the executor's own options among them, unchecked. */
  readonly extra: Values;
}

/** What can be known about an initializer's arguments before a call. */
export interface Binding extends Arguments {
  readonly definition: Definition;
}

const isValue = (object: object): boolean => object instanceof Generator || isOtherGenerator(object);

/** Options that an executor checks itself, such as the pool's signal. */
export function passedOn(names: readonly string[]): Setting[] {
  return names.map((name) => ({ kind: 'setting', name, check: (_, value) => value }));
}

/** Prepares for calls of one initializer. `extra` names options that the executor looks after, such as the pool's signal. */
export function bindingFor(name: Name, extra: readonly string[] = []): Binding {
  const definition = definitionOf(name);
  const settings: Setting[] = [
    ...(definition.random ? [{ ...generatorSetting, positional: true }] : []),
    threadsSetting,
    ...passedOn(extra),
  ];
  return { definition, ...argumentsOf(`${name}_`, definition.parameters, settings, { before: ['tensor'], isValue }) };
}

/**
 * Reads the arguments of a call (the tensor, values by position, and keywords in a last plain object), checks everything
 * and resolves the fill. When it returns, nothing is left to refuse, and no byte has been written.
 *
 * @throws TypeError and RangeError, in the name of `init.*_`
 */
export function prepare(binding: Binding, target: unknown, args: readonly unknown[]): Call {
  const { fn, definition } = binding;
  const values = readArguments(binding, args);
  const tensor = asTarget(fn, target, definition.integers);
  const { shape, size } = tensor;
  const dtype = drawnIn(tensor.dtype);
  const site = { fn, shape, size, dtype };
  const fill = definition.resolve(site, values);
  if (isNarrowTarget(tensor)) checkNarrowFill(fn, fill, tensor);
  const { generator, threads = 0 } = values as { generator?: Generator; threads?: number };
  const inexact = inexactness(fill, dtype, (generator ?? default_generator).engine);
  const warning = inexact === undefined ? definition.warning?.(site, values) : `nn.init.${fn}: ${inexact}`;
  if (warning !== undefined) process.emitWarning(warning, 'UserWarning');
  return { fn, tensor, fill, random: definition.random && size > 0, generator, threads, extra: values };
}

/**
 * Makes `init.*_` for one initializer: every executor (this thread, the pool) has its own `execute`, which calls prepare,
 * does the call, and returns the tensor or a promise of it. The caller says which by the type it gives the result.
 */
export function bind<F>(
  name: Name,
  execute: (binding: Binding, tensor: unknown, args: readonly unknown[]) => unknown,
  extra: readonly string[] = [],
): F {
  const binding = bindingFor(name, extra);
  const bound = (tensor: unknown, ...args: readonly unknown[]): unknown => execute(binding, tensor, args);
  Object.defineProperty(bound, 'name', { value: binding.fn });
  return bound as F;
}
