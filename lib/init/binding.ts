import { checkInteger, isPlainObject, typeError, unknownOption } from '../core/check.js';
import type { Fill } from '../core/fill.js';
import { checkParameter, type Parameter } from '../core/parameter.js';
import { maxThreads } from '../native/addon.js';
import { Generator } from '../random/generator.js';
import { asTensor, type CheckedTensor } from '../tensor/tensor.js';
import type { Definition } from './definition.js';
import { definitionOf, type Name } from './initializers.js';
import { defaultOf } from './resolve.js';

/** A number of threads as a caller gives it: 1 to maxThreads. */
export function checkThreads(fn: string, value: unknown): number {
  return checkInteger(fn, 'threads', value, 1, maxThreads);
}

/** A generator as a caller gives it. */
export function checkGenerator(fn: string, value: unknown): Generator {
  if (value instanceof Generator) return value;
  throw typeError(fn, 'generator', 'a Generator', value);
}

/** A call of `init.*_`, all of it checked and none of it done: what an executor needs to do it. */
export interface Call {
  readonly fn: string;
  readonly tensor: CheckedTensor;
  readonly fill: Fill;
  /** Whether it takes a stream of the generator, which it does if it is random and has elements. */
  readonly random: boolean;
  /** The generator that was given, if one was. */
  readonly generator: Generator | undefined;
  /** The threads that were asked for; 0 for the number of set_num_threads. */
  readonly threads: number;
  /** The executor's own options, unchecked. */
  readonly extra: Readonly<Record<string, unknown>>;
}

type Values = Record<string, number | string | undefined>;

/** What can be known about an initializer's arguments before a call. */
export interface Binding {
  readonly fn: string;
  readonly definition: Definition;
  /** In order; 'generator' stands at the end where one is drawn from. */
  readonly positional: readonly (Parameter | 'generator')[];
  readonly byName: ReadonlyMap<string, Parameter>;
  readonly defaults: Readonly<Values>;
  readonly required: readonly Parameter[];
  /** Names of options that are no parameters: generator, threads and the executor's own. */
  readonly others: readonly string[];
}

/** Prepares for calls of one initializer. `extra` names options that the executor looks after, such as the pool's signal. */
export function bindingFor(name: Name, extra: readonly string[] = []): Binding {
  const fn = `${name}_`;
  const definition = definitionOf(name);
  const { parameters, random } = definition;
  const positional = parameters.filter((parameter) => parameter.positional);
  return {
    fn,
    definition,
    positional: random ? [...positional, 'generator'] : positional,
    byName: new Map(parameters.map((parameter) => [parameter.name, parameter])),
    defaults: Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter.default])),
    required: parameters.filter((parameter) => parameter.required),
    others: [...(random ? ['generator'] : []), 'threads', ...extra],
  };
}

interface Arguments {
  /** The binding's own defaults where nothing was given: nobody writes to them then. */
  values: Values;
  generator: Generator | undefined;
  threads: number;
  extra: Readonly<Record<string, unknown>>;
}

const noExtra: Readonly<Record<string, unknown>> = Object.freeze({});

/**
 * Reads the arguments of a call (the tensor, values by position, and keywords in a last plain object), checks everything
 * and resolves the fill. When it returns, nothing is left to refuse, and no byte has been written.
 *
 * @throws TypeError and RangeError, in the name of `init.*_`
 */
export function prepare(binding: Binding, target: unknown, args: readonly unknown[]): Call {
  const { values, generator, threads, extra } = readArguments(binding, args);
  const { fn, definition } = binding;
  const tensor = asTensor(fn, target);
  const { shape, size, dtype } = tensor;
  const site = { fn, shape, size, dtype };
  const fill = definition.resolve(site, values);
  if (definition.warning !== undefined) {
    const warning = definition.warning(site, values);
    if (warning !== undefined) process.emitWarning(warning, 'UserWarning');
  }
  return { fn, tensor, fill, random: definition.random && size > 0, generator, threads, extra };
}

function readArguments(binding: Binding, args: readonly unknown[]): Arguments {
  const last = args[args.length - 1];
  const keywords = typeof last === 'object' && last !== null && !(last instanceof Generator) ? last : undefined;
  const count = keywords === undefined ? args.length : args.length - 1;
  const values: Values = args.length === 0 ? binding.defaults : { ...binding.defaults };
  const result: Arguments = { values, generator: undefined, threads: 0, extra: noExtra };
  for (let i = 0; i < count; i++) {
    const value = args[i];
    const parameter = binding.positional[i];
    if (value === undefined && i <= binding.positional.length) continue; // the options' own place included
    if (parameter === undefined) throw tooMany(binding, i, value);
    if (parameter === 'generator') result.generator = checkGenerator(binding.fn, value);
    else values[parameter.name] = checkParameter(binding.fn, parameter, value);
  }
  if (keywords !== undefined) readKeywords(binding, args, count, keywords, result);
  for (const parameter of binding.required) {
    if (values[parameter.name] === undefined) defaultOf(binding.fn, parameter);
  }
  return result;
}

function readKeywords(
  binding: Binding,
  args: readonly unknown[],
  count: number,
  keywords: object,
  result: Arguments,
): void {
  const { fn } = binding;
  if (!isPlainObject(keywords)) {
    const next = binding.positional[count];
    const argument = next === undefined || next === 'generator' ? (next ?? 'options') : next.name;
    throw typeError(fn, argument, argument === 'generator' ? 'a Generator' : 'a plain object of options', keywords);
  }
  for (const name of Object.keys(keywords)) {
    const value = keywords[name];
    const parameter = binding.byName.get(name);
    if (parameter === undefined && !binding.others.includes(name)) {
      throw unknownOption(fn, name, [...binding.byName.keys(), ...binding.others]);
    }
    if (value === undefined) continue;
    refuseTwice(binding, args, count, name, value);
    if (parameter !== undefined) result.values[name] = checkParameter(fn, parameter, value);
    else if (name === 'generator') result.generator = checkGenerator(fn, value);
    else if (name === 'threads') result.threads = checkThreads(fn, value);
    else result.extra = { ...result.extra, [name]: value };
  }
}

function refuseTwice(binding: Binding, args: readonly unknown[], count: number, name: string, value: unknown): void {
  for (let i = 0; i < count; i++) {
    const parameter = binding.positional[i];
    const known = parameter === 'generator' ? parameter : parameter?.name;
    if (known !== name || args[i] === undefined) continue;
    throw typeError(binding.fn, name, 'one value', value, 'it was given by position already');
  }
}

function tooMany({ fn, positional }: Binding, i: number, value: unknown): TypeError {
  const takes = ['tensor', ...positional.map((each) => (each === 'generator' ? each : each.name)), '{ options }'];
  return typeError(fn, `argument ${i + 2}`, 'nothing', value, `it takes ${takes.join(', ')}`);
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
