import { checkBoolean, checkInteger, checkOneOf, isPlainObject, rangeError, typeError } from '../../core/check.js';
import type { Module } from '../module.js';

interface Described<N extends string> {
  readonly name: N;
  /** One line for documentation. */
  readonly doc: string;
  /** False for those that PyTorch, or nninit, takes by name only. */
  readonly positional: boolean;
  /** Whether it must be given; there is no default then. */
  readonly required?: true;
  /** Whether null (Python's None) is a value. */
  readonly nullable?: true;
  /** Whether it matters only to the forward pass: checked here, but it changes neither names nor shapes nor values. */
  readonly unused?: true;
}

/** A safe integer from `min` to `max`. */
export interface IntegerArgument<N extends string = string> extends Described<N> {
  readonly kind: 'integer';
  readonly default?: number | null;
  readonly min?: number;
  readonly max?: number;
}

/** A finite number from `min` to `max`. */
export interface NumberArgument<N extends string = string> extends Described<N> {
  readonly kind: 'number';
  readonly default?: number | null;
  readonly min?: number;
  readonly max?: number;
}

export interface BooleanArgument<N extends string = string> extends Described<N> {
  readonly kind: 'boolean';
  readonly default?: boolean;
}

/** One of a list of words. */
export interface WordArgument<N extends string = string, W extends string = string> extends Described<N> {
  readonly kind: 'word';
  readonly words: readonly W[];
  readonly default?: W;
}

/** Integers ≥ `min`: one for each of `dimensions` (any number of them without it), or one for all. */
export interface SizesArgument<N extends string = string, W extends string = string> extends Described<N> {
  readonly kind: 'sizes';
  readonly dimensions?: number;
  readonly min: number;
  readonly default?: number;
  /** Words that may stand in their place. */
  readonly words?: readonly W[];
}

/** Another layer: `{ layer: kind, …its arguments }`. */
export interface LayerArgument<N extends string = string> extends Described<N> {
  readonly kind: 'layer';
  readonly default?: null;
}

/** An argument of a layer's constructor, as plain data: functions, recipes and documentation read it. */
export type Argument<N extends string = string> =
  | IntegerArgument<N>
  | NumberArgument<N>
  | BooleanArgument<N>
  | WordArgument<N>
  | SizesArgument<N>
  | LayerArgument<N>;

type Null<A> = A extends { readonly nullable: true } ? null : never;

/** What a layer is built from: one value of an argument, checked. */
export type ValueOf<A> =
  | Null<A>
  | (A extends { readonly kind: 'boolean' }
      ? boolean
      : A extends { readonly kind: 'word'; readonly words: readonly (infer W)[] }
        ? W
        : A extends { readonly kind: 'sizes' }
          ? readonly number[] | (A extends { readonly words: readonly (infer W)[] } ? W : never)
          : A extends { readonly kind: 'layer' }
            ? Module
            : number);

/** All values of a list of arguments, defaults filled in. */
export type ValuesOf<As extends readonly Argument[]> = {
  readonly [A in As[number] as A['name']]: ValueOf<A>;
};

/** A checked value, its type forgotten. */
export type Value = number | boolean | string | readonly number[] | Module | null;

/** Builds the module that an argument of kind 'layer' describes. */
export type BuildNested = (fn: string, argument: string, value: Readonly<Record<string, unknown>>) => Module;

/** Checks one value against its description, and brings it into the form that layers are built from. */
export function checkArgument(fn: string, argument: Argument, value: unknown, nested: BuildNested): Value {
  const { name, nullable } = argument;
  if (value === null && nullable) return null;
  switch (argument.kind) {
    case 'integer':
      return checkInteger(fn, name, value, argument.min, argument.max);
    case 'number':
      return checkNumber(fn, argument, value);
    case 'boolean':
      return checkBoolean(fn, name, value);
    case 'word':
      return checkOneOf(fn, name, value, argument.words);
    case 'sizes':
      return checkSizes(fn, argument, value);
    case 'layer': {
      const what = `a layer, { layer: 'Linear', … },${nullable ? ' or null' : ''}`;
      if (!isPlainObject(value)) throw typeError(fn, name, what, value);
      return nested(fn, name, value);
    }
  }
}

function checkNumber(fn: string, { name, min, max }: NumberArgument, value: unknown): number {
  const low = min ?? Number.NEGATIVE_INFINITY;
  const high = max ?? Number.POSITIVE_INFINITY;
  if (Number.isFinite(value) && (value as number) >= low && (value as number) <= high) return value as number;
  const range = max !== undefined ? ` from ${low} to ${max}` : min !== undefined ? ` ≥ ${min}` : '';
  const what = `a finite number${range}`;
  throw typeof value === 'number' ? rangeError(fn, name, what, value) : typeError(fn, name, what, value);
}

function checkSizes(
  fn: string,
  { name, dimensions, min, words = [] }: SizesArgument,
  value: unknown,
): readonly number[] | string {
  if (typeof value === 'number') {
    return new Array<number>(dimensions ?? 1).fill(checkInteger(fn, name, value, min));
  }
  if (typeof value === 'string' && words.length > 0) return checkOneOf(fn, name, value, words);
  const list = dimensions === undefined ? 'an array of them' : `an array of ${dimensions}`;
  const instead = words.map((word) => `, '${word}'`).join('');
  const what = `an integer ≥ ${min}${instead} or ${list}`;
  if (!Array.isArray(value)) throw typeError(fn, name, what, value);
  if (dimensions !== undefined && value.length !== dimensions) throw rangeError(fn, name, what, value);
  return value.map((size: unknown, i) => checkInteger(fn, `${name}[${i}]`, size, min));
}
