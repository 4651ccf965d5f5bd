import { check_integer, is_plain_object, type_error, unknown_option } from './check.js';
import type { Fill } from './fill.js';
import { Generator } from './generator.js';
import {
  type Definition,
  definition_of,
  type initializers,
  type Name,
  type Options,
  type ParametersOf,
} from './initializers.js';
import { check_parameter, type Parameter, type ValueOf } from './parameter.js';
import { default_of } from './resolve.js';
import { as_tensor, type CheckedTensor, type TensorLike } from './tensor.js';

/** The most threads that one fill may ask for. */
export const max_threads = 1024;

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
export interface Plan {
  readonly fn: string;
  readonly definition: Definition;
  /** In order; 'generator' stands at the end where one is drawn from. */
  readonly positional: readonly (Parameter | 'generator')[];
  readonly by_name: ReadonlyMap<string, Parameter>;
  readonly defaults: Readonly<Values>;
  readonly required: readonly Parameter[];
  /** Names of options that are no parameters: generator, threads and the executor's own. */
  readonly others: readonly string[];
}

/** Prepares for calls of one initializer. `extra` names options that the executor looks after, such as the pool's signal. */
export function plan_for(name: Name, extra: readonly string[] = []): Plan {
  const fn = `${name}_`;
  const definition = definition_of(name);
  const { parameters, random } = definition;
  const positional = parameters.filter((parameter) => parameter.positional);
  return {
    fn,
    definition,
    positional: random ? [...positional, 'generator'] : positional,
    by_name: new Map(parameters.map((parameter) => [parameter.name, parameter])),
    defaults: Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter.default])),
    required: parameters.filter((parameter) => parameter.required),
    others: [...(random ? ['generator'] : []), 'threads', ...extra],
  };
}

interface Arguments {
  values: Readonly<Values>;
  generator: Generator | undefined;
  threads: number;
  extra: Readonly<Record<string, unknown>>;
}

const no_extra: Readonly<Record<string, unknown>> = Object.freeze({});

/**
 * Reads the arguments of a call (the tensor, values by position, and keywords in a last plain object), checks everything
 * and resolves the fill. When it returns, nothing is left to refuse, and no byte has been written.
 *
 * @throws TypeError and RangeError, in the name of `init.*_`
 */
export function prepare(plan: Plan, target: unknown, args: readonly unknown[]): Call {
  const { values, generator, threads, extra } = read_arguments(plan, args);
  const { fn, definition } = plan;
  const tensor = as_tensor(fn, target);
  const { shape, size, dtype } = tensor;
  const site = { fn, shape, size, dtype };
  const fill = definition.resolve(site, values);
  if (definition.warning !== undefined) {
    const warning = definition.warning(site, values);
    if (warning !== undefined) process.emitWarning(warning, 'UserWarning');
  }
  return { fn, tensor, fill, random: definition.random && size > 0, generator, threads, extra };
}

function read_arguments(plan: Plan, args: readonly unknown[]): Arguments {
  const last = args[args.length - 1];
  const keywords = typeof last === 'object' && last !== null && !(last instanceof Generator) ? last : undefined;
  const count = keywords === undefined ? args.length : args.length - 1;
  // Calls without arguments share the defaults, which nobody writes to.
  const values: Values = args.length === 0 ? plan.defaults : { ...plan.defaults };
  const result: Arguments = { values, generator: undefined, threads: 0, extra: no_extra };
  for (let i = 0; i < count; i++) {
    const value = args[i];
    const parameter = plan.positional[i];
    if (value === undefined && i <= plan.positional.length) continue; // the options' own place included
    if (parameter === undefined) throw too_many(plan, i, value);
    if (parameter === 'generator') result.generator = check_generator(plan.fn, value);
    else values[parameter.name] = check_parameter(plan.fn, parameter, value);
  }
  if (keywords !== undefined) read_keywords(plan, args, count, keywords, values, result);
  for (const parameter of plan.required) {
    if (values[parameter.name] === undefined) default_of(plan.fn, parameter);
  }
  return result;
}

function read_keywords(
  plan: Plan,
  args: readonly unknown[],
  count: number,
  keywords: object,
  values: Values,
  result: Arguments,
): void {
  const { fn } = plan;
  if (!is_plain_object(keywords)) {
    const next = plan.positional[count];
    const argument = next === undefined || next === 'generator' ? (next ?? 'options') : next.name;
    throw type_error(fn, argument, argument === 'generator' ? 'a Generator' : 'a plain object of options', keywords);
  }
  for (const name of Object.keys(keywords)) {
    const value = keywords[name];
    const parameter = plan.by_name.get(name);
    if (parameter === undefined && !plan.others.includes(name)) {
      throw unknown_option(fn, name, [...plan.by_name.keys(), ...plan.others]);
    }
    if (value === undefined) continue;
    refuse_twice(plan, args, count, name, value);
    if (parameter !== undefined) values[name] = check_parameter(fn, parameter, value);
    else if (name === 'generator') result.generator = check_generator(fn, value);
    else if (name === 'threads') result.threads = check_integer(fn, 'threads', value, 1, max_threads);
    else result.extra = { ...result.extra, [name]: value };
  }
}

function refuse_twice(plan: Plan, args: readonly unknown[], count: number, name: string, value: unknown): void {
  for (let i = 0; i < count; i++) {
    const parameter = plan.positional[i];
    const known = parameter === 'generator' ? parameter : parameter?.name;
    if (known !== name || args[i] === undefined) continue;
    throw type_error(plan.fn, name, 'one value', value, 'it was given by position already');
  }
}

function check_generator(fn: string, value: unknown): Generator {
  if (value instanceof Generator) return value;
  throw type_error(fn, 'generator', 'a Generator', value);
}

function too_many({ fn, positional }: Plan, i: number, value: unknown): TypeError {
  const takes = ['tensor', ...positional.map((each) => (each === 'generator' ? each : each.name)), '{ options }'];
  return type_error(fn, `argument ${i + 2}`, 'nothing', value, `it takes ${takes.join(', ')}`);
}

/**
 * Makes `init.*_` for one initializer: every executor (this thread, the pool) has its own `execute`, which calls prepare,
 * does the call, and returns the tensor or a promise of it. The caller says which by the type it gives the result.
 */
export function bind<F>(
  name: Name,
  execute: (plan: Plan, tensor: unknown, args: readonly unknown[]) => unknown,
  extra: readonly string[] = [],
): F {
  const plan = plan_for(name, extra);
  const bound = (tensor: unknown, ...args: readonly unknown[]): unknown => execute(plan, tensor, args);
  Object.defineProperty(bound, 'name', { value: plan.fn });
  return bound as F;
}

// ---- the types of these functions, from the table ----

/** One positional argument with its label, which editors show. Labels cannot be made from strings, so they stand here. */
interface Labels<V> {
  a: [a: V];
  b: [b: V];
  distribution: [distribution: V];
  gain: [gain: V];
  generator: [generator: V];
  groups: [groups: V];
  mean: [mean: V];
  mode: [mode: V];
  nonlinearity: [nonlinearity: V];
  scale: [scale: V];
  sparsity: [sparsity: V];
  std: [std: V];
  val: [val: V];
}

type IsRandom<N extends Name> = (typeof initializers)[N]['random'];

interface GeneratorSlot {
  readonly name: 'generator';
}

/** The positional parameters of a list, in order. */
type PositionalOf<Ps extends readonly unknown[]> = Ps extends readonly [infer P, ...infer Rest]
  ? P extends { readonly positional: true }
    ? [P, ...PositionalOf<Rest>]
    : PositionalOf<Rest>
  : [];

type Slots<N extends Name> =
  IsRandom<N> extends true ? [...PositionalOf<ParametersOf<N>>, GeneratorSlot] : PositionalOf<ParametersOf<N>>;

type Label<P> = P extends { readonly name: infer K extends keyof Labels<unknown> }
  ? P extends GeneratorSlot
    ? Labels<Generator | undefined>[K]
    : P extends { readonly required: true }
      ? Labels<ValueOf<P>>[K]
      : Labels<ValueOf<P> | undefined>[K]
  : never;

type NameOf<P> = P extends { readonly name: infer K } ? K : never;

/** All arguments by position. */
type ByPosition<S extends readonly unknown[]> = S extends readonly [infer P, ...infer Rest]
  ? P extends { readonly required: true }
    ? [...Label<P>, ...ByPosition<Rest>]
    : [...Partial<Label<P>>, ...ByPosition<Rest>]
  : [];

/** One object type for an intersection: TypeScript takes anything for an object of nothing but options otherwise. */
type Flat<T> = { [K in keyof T]: T[K] };

/** The keywords of an initializer: its parameters, `threads` (1 to 1024), and `generator` where it is random. */
export type Keywords<N extends Name, Extra = unknown> = Flat<
  Options<N> &
    Extra & { readonly threads?: number | undefined } & (IsRandom<N> extends true
      ? { readonly generator?: Generator | undefined }
      : unknown)
>;

type OptionsArgument<O> = Record<never, never> extends O ? [options?: O | undefined] : [options: O];

type Result<T, R extends 'tensor' | 'promise'> = R extends 'tensor' ? T : Promise<T>;

type Signature<R extends 'tensor' | 'promise', A extends readonly unknown[]> = <T extends TensorLike>(
  tensor: T,
  ...args: A
) => Result<T, R>;

/** One signature for each number of arguments that may stand before the options; those are left out of the options. */
type WithOptions<
  R extends 'tensor' | 'promise',
  S extends readonly unknown[],
  Before extends unknown[],
  O,
> = S extends readonly [infer P, ...infer Rest]
  ? Signature<R, [...Before, ...OptionsArgument<O>]> &
      WithOptions<R, Rest, [...Before, ...Label<P>], Omit<O, NameOf<P> & string>>
  : Signature<R, [...Before, ...OptionsArgument<O>]>;

/**
 * The type of `init.*_` for one initializer: its parameters by position or as keywords in a last object. With 'promise' it
 * is that of a pool, whose further keywords are `Extra`.
 */
export type InitFunction<N extends Name, R extends 'tensor' | 'promise' = 'tensor', Extra = unknown> = Signature<
  R,
  ByPosition<Slots<N>>
> &
  WithOptions<R, Slots<N>, [], Keywords<N, Extra>>;
