import { checkBoolean, checkInteger, checkOneOf, didYouMean, isPlainObject, rangeError, typeError } from './check.js';

interface Described<N extends string> {
  readonly name: N;
  /** One line for documentation and `--help`. */
  readonly doc: string;
  /** Whether it may be given by position; the order is that of the list. The others are keywords only. */
  readonly positional?: boolean;
  /** Whether it must be given; there is no default then. */
  readonly required?: true;
  /** Whether null (Python's None) is a value. */
  readonly nullable?: true;
  /** Whether it matters only to a layer's forward pass: checked, but it changes neither names nor shapes nor values. */
  readonly unused?: true;
}

/** A safe integer, or a number, which is finite unless `finite` is false. */
export interface NumberParameter<N extends string = string> extends Described<N> {
  readonly kind: 'integer' | 'number';
  readonly default?: number | null;
  /** The least value allowed; `above` excludes itself. */
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly finite?: false;
}

export interface BooleanParameter<N extends string = string> extends Described<N> {
  readonly kind: 'boolean';
  readonly default?: boolean;
}

/** One of a list of words. */
export interface WordParameter<N extends string = string, W extends string = string> extends Described<N> {
  readonly kind: 'word';
  readonly words: readonly W[];
  readonly default?: W;
  /** What PyTorch says of a word that is none, for whoever searches for it: '%' stands for the word. */
  readonly torchSays?: string;
}

/** Integers, at least `min` where it is given: one for each of `dimensions` (any number of them without it), or one for all. */
export interface SizesParameter<N extends string = string, W extends string = string> extends Described<N> {
  readonly kind: 'sizes';
  readonly dimensions?: number;
  readonly min?: number;
  readonly default?: number;
  /** Words that may stand in their place. */
  readonly words?: readonly W[];
}

/** A layer: `{ layer: kind, …its arguments }`. Whoever knows layers builds it. */
export interface LayerParameter<N extends string = string> extends Described<N> {
  readonly kind: 'layer';
  readonly default?: null;
}

/**
 * A parameter of an initializer, a layer or a preset, as plain data: calls, the recipes' schema and the documentation read it.
 * One that has no default and is not required may be left out.
 */
export type Parameter<N extends string = string> =
  | NumberParameter<N>
  | BooleanParameter<N>
  | WordParameter<N>
  | SizesParameter<N>
  | LayerParameter<N>;

type Words<P> = P extends { readonly words: readonly (infer W)[] } ? W : never;

/** What stands for a layer. An interface of its own, so that the type of layers may lead back to itself. */
export interface LayerType {
  readonly layer: unknown;
}

/** What a caller may give for a parameter; `L` says what stands for a layer. */
export type InputOf<P, L extends LayerType = LayerType> = P extends { readonly nullable: true }
  ? NotNull<P, L> | null
  : NotNull<P, L>;

type NotNull<P, L extends LayerType> = P extends { readonly kind: 'boolean' }
  ? boolean
  : P extends { readonly kind: 'word' }
    ? Words<P>
    : P extends { readonly kind: 'sizes' }
      ? number | readonly number[] | Words<P>
      : P extends { readonly kind: 'layer' }
        ? L['layer']
        : P extends { check(fn: string, value: unknown): infer V }
          ? V
          : number;

/** A parameter's values once they are checked: sizes are one for each dimension. */
export type ValueOf<P, L extends LayerType = LayerType> = P extends { readonly kind: 'sizes' }
  ? Exclude<InputOf<P, L>, number>
  : InputOf<P, L>;

type Given<P, L extends LayerType> = P extends { readonly required: true } | { readonly default: unknown }
  ? ValueOf<P, L>
  : ValueOf<P, L> | undefined;

/** All values of a list of parameters, defaults filled in. */
export type ValuesOf<Ps extends readonly Parameter[], L extends LayerType = LayerType> = {
  readonly [P in Ps[number] as P['name']]: Given<P, L>;
};

/** The values of a list of parameters as a caller gives them: only the required ones must be there. */
export type OptionsOf<Ps extends readonly Parameter[], L extends LayerType = LayerType> = {
  readonly [P in Ps[number] as P extends { readonly required: true } ? never : P['name']]?: InputOf<P, L> | undefined;
} & {
  readonly [P in Ps[number] as P extends { readonly required: true } ? P['name'] : never]: InputOf<P, L>;
};

/** Checks one value against its description, and brings it into the form that ValueOf says. */
export function checkParameter(fn: string, parameter: Parameter, value: unknown): unknown {
  if (value === null && parameter.nullable) return null;
  switch (parameter.kind) {
    case 'number':
      return checkNumber(fn, parameter, value);
    case 'integer':
      return checkInteger(fn, parameter.name, value, parameter.min, parameter.max);
    case 'boolean':
      return checkBoolean(fn, parameter.name, value);
    case 'word':
      return checkWord(fn, parameter, value);
    case 'sizes':
      return checkSizes(fn, parameter, value);
    case 'layer':
      if (isPlainObject(value)) return value;
      throw typeError(
        fn,
        parameter.name,
        `a layer, { layer: 'Linear', … },${parameter.nullable ? ' or null' : ''}`,
        value,
      );
  }
}

/** The value of a parameter that was left out; throws where it must be given. */
export function defaultOf(fn: string, parameter: Parameter): unknown {
  const reads = parameter.required || (parameter.kind === 'sizes' && parameter.default !== undefined);
  return reads ? checkParameter(fn, parameter, parameter.default) : parameter.default;
}

/** ' ≥ 0', ' > 0', ' from 0 to 1', or nothing: what a number must be besides. */
export function rangeOf({ min, above, max }: Pick<NumberParameter, 'min' | 'above' | 'max'>): string {
  if (max !== undefined) return ` from ${min ?? '-∞'} to ${max}`;
  if (above !== undefined) return ` > ${above}`;
  return min === undefined ? '' : ` ≥ ${min}`;
}

function isWithin({ min, above, max }: NumberParameter, value: number): boolean {
  return !(
    (min !== undefined && value < min) ||
    (above !== undefined && value <= above) ||
    (max !== undefined && value > max)
  );
}

function checkNumber(fn: string, parameter: NumberParameter, value: unknown): number {
  const { name, finite = true } = parameter;
  if (typeof value === 'number' && (!finite || (Number.isFinite(value) && isWithin(parameter, value)))) return value;
  const what = `a${finite ? ' finite' : ''} number${rangeOf(parameter)}`;
  throw typeof value === 'number' ? rangeError(fn, name, what, value) : typeError(fn, name, what, value);
}

function checkWord(fn: string, { name, words, torchSays }: WordParameter, value: unknown): string {
  if (words.includes(value as string)) return value as string;
  if (typeof value !== 'string') return checkOneOf(fn, name, value, words);
  const hints = [torchSays?.replace('%', () => value), didYouMean(value, words)].filter((hint) => hint !== undefined);
  return checkOneOf(fn, name, value, words, hints.join('; ') || undefined);
}

function checkSizes(
  fn: string,
  { name, dimensions, min, words = [] }: SizesParameter,
  value: unknown,
): readonly number[] | string {
  if (typeof value === 'number') {
    return new Array<number>(dimensions ?? 1).fill(checkInteger(fn, name, value, min));
  }
  if (typeof value === 'string' && words.length > 0) return checkOneOf(fn, name, value, words);
  const list = dimensions === undefined ? 'an array of them' : `an array of ${dimensions}`;
  const instead = words.map((word) => `, '${word}'`).join('');
  const what = `an integer${rangeOf({ ...(min !== undefined && { min }) })}${instead} or ${list}`;
  if (!Array.isArray(value)) throw typeError(fn, name, what, value);
  if (dimensions !== undefined && value.length !== dimensions) throw rangeError(fn, name, what, value);
  return Array.from(value, (size: unknown, i) => checkInteger(fn, `${name}[${i}]`, size, min)); // map passes over holes
}
