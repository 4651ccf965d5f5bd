import { isPlainObject, typeError, unknownOption } from './check.js';
import { checkParameter, defaultOf, type Parameter } from './parameter.js';

/** An argument beside the parameters, which its owner checks: a generator, a number of threads. */
export interface Setting<N extends string = string, V = unknown> {
  readonly kind: 'setting';
  readonly name: N;
  /** Whether it may stand by position, behind the parameters. */
  readonly positional?: boolean;
  /** Whether null stands for the default. */
  readonly nullable?: true;
  /** What is expected, for messages. */
  readonly what?: string;
  check(fn: string, value: unknown): V;
}

type Argument = Parameter | Setting;

/** Values by the names of their parameters. */
export type Values = Readonly<Record<string, unknown>>;

/** How a function is called, known before any call: values by position, then keywords in a last plain object. */
export interface Arguments {
  readonly fn: string;
  readonly positional: readonly Argument[];
  readonly byName: ReadonlyMap<string, Argument>;
  /** Of all parameters and settings; nobody writes to it. */
  readonly defaults: Values;
  readonly required: readonly Parameter[];
  /** What stands before the positional ones, for messages: the tensor. */
  readonly before: readonly string[];
  /** Whether an object is a value, and no keywords. */
  isValue(object: object): boolean;
}

/** What a function is called with. */
export function argumentsOf(
  fn: string,
  parameters: readonly Parameter[],
  settings: readonly Setting[],
  { before, isValue }: Pick<Arguments, 'before' | 'isValue'>,
): Arguments {
  const all: readonly Argument[] = [...parameters, ...settings];
  return {
    ...{ fn, before, isValue },
    positional: all.filter(({ positional }) => positional),
    byName: new Map(all.map((argument) => [argument.name, argument])),
    defaults: Object.fromEntries(
      all.map((each) => [each.name, each.kind === 'setting' || each.required ? undefined : defaultOf(fn, each)]),
    ),
    required: parameters.filter(({ required }) => required),
  };
}

/**
 * Reads and checks the arguments of one call; undefined counts as left out.
 *
 * @throws TypeError and RangeError in the function's name
 */
export function readArguments(known: Arguments, args: readonly unknown[]): Values {
  // The element -1 of an empty array is a property looked up by name: a tenth of a small call.
  const last = args.length === 0 ? undefined : args[args.length - 1];
  const keywords = typeof last === 'object' && last !== null && !known.isValue(last) ? last : undefined;
  const count = keywords === undefined ? args.length : args.length - 1;
  const values: Record<string, unknown> = args.length === 0 ? known.defaults : { ...known.defaults };
  for (let i = 0; i < count; i++) {
    const value = args[i];
    if (value === undefined) continue;
    const argument = known.positional[i];
    if (argument === undefined) throw tooMany(known, i, value);
    values[argument.name] = check(known.fn, argument, value);
  }
  if (keywords !== undefined) readKeywords(known, args, count, keywords, values);
  for (const parameter of known.required) {
    if (values[parameter.name] === undefined) defaultOf(known.fn, parameter);
  }
  return values;
}

/** Reads and checks values that are given by name alone, defaults filled in. */
export function readOptions(fn: string, parameters: readonly Parameter[], options: Values): Values {
  for (const name of Object.keys(options)) {
    if (parameters.some((parameter) => parameter.name === name)) continue;
    throw unknownOption(
      fn,
      name,
      Array.from(parameters, (parameter) => parameter.name),
    );
  }
  const values: Record<string, unknown> = {};
  for (const parameter of parameters) {
    const { name } = parameter;
    const given = Object.hasOwn(options, name) ? options[name] : undefined;
    values[name] = given === undefined ? defaultOf(fn, parameter) : checkParameter(fn, parameter, given);
  }
  return values;
}

function check(fn: string, argument: Argument, value: unknown): unknown {
  if (argument.kind !== 'setting') return checkParameter(fn, argument, value);
  return value === null && argument.nullable ? undefined : argument.check(fn, value);
}

function readKeywords(
  { fn, positional, byName }: Arguments,
  args: readonly unknown[],
  count: number,
  keywords: object,
  values: Record<string, unknown>,
): void {
  if (!isPlainObject(keywords)) {
    const next = positional[count];
    const what = next?.kind === 'setting' ? next.what : undefined;
    throw typeError(fn, next?.name ?? 'options', what ?? 'a plain object of keywords', keywords);
  }
  for (const name of Object.keys(keywords)) {
    const value = keywords[name];
    const argument = byName.get(name);
    if (argument === undefined) throw unknownOption(fn, name, [...byName.keys()]);
    if (value === undefined) continue;
    for (let i = 0; i < count; i++) {
      if (positional[i] !== argument || args[i] === undefined) continue;
      throw typeError(fn, name, 'one value', value, 'it was given by position already');
    }
    values[name] = check(fn, argument, value);
  }
}

function tooMany({ fn, before, positional }: Arguments, i: number, value: unknown): TypeError {
  const takes = [...before, ...positional.map(({ name }) => name), '{ options }'].join(', ');
  return typeError(fn, `argument ${before.length + i + 1}`, 'nothing', value, `it takes ${takes}`);
}
