import { checkInteger, checkOneOf, rangeError, typeError } from './check.js';

interface Described<N extends string> {
  readonly name: N;
  /** One line for documentation and `--help`. */
  readonly doc: string;
  /** Whether it may be given by position; the order is that of the list. The others are keywords only. */
  readonly positional: boolean;
  /** Whether it must be given; there is no default then. */
  readonly required?: true;
}

/** A number: finite unless `finite` is false. */
export interface NumberParameter<N extends string = string> extends Described<N> {
  readonly kind: 'number';
  readonly default?: number;
  /** The least value allowed. */
  readonly min?: number;
  readonly finite?: false;
}

/** A safe integer. */
export interface IntegerParameter<N extends string = string> extends Described<N> {
  readonly kind: 'integer';
  readonly default?: number;
  /** The least value allowed. */
  readonly min?: number;
}

/** One of a list of names. */
export interface EnumParameter<N extends string = string, V extends string = string> extends Described<N> {
  readonly kind: 'enum';
  readonly values: readonly V[];
  readonly default?: V;
}

/**
 * A parameter of an initializer, as plain data: `init.*_`, the recipes' schema and the documentation read it. One that has
 * no default and is not required may be left out.
 */
export type Parameter<N extends string = string> = NumberParameter<N> | IntegerParameter<N> | EnumParameter<N>;

/** The TypeScript type of a parameter's values. */
export type ValueOf<P> = P extends EnumParameter<string, infer V> ? V : number;

type Given<P> = P extends { readonly required: true } | { readonly default: unknown }
  ? ValueOf<P>
  : ValueOf<P> | undefined;

/** All values of a list of parameters, defaults filled in. */
export type ValuesOf<Ps extends readonly Parameter[]> = {
  readonly [P in Ps[number] as P['name']]: Given<P>;
};

/** The values of a list of parameters as a caller gives them: only the required ones must be there. */
export type OptionsOf<Ps extends readonly Parameter[]> = {
  readonly [P in Ps[number] as P extends { readonly required: true } ? never : P['name']]?: ValueOf<P> | undefined;
} & {
  readonly [P in Ps[number] as P extends { readonly required: true } ? P['name'] : never]: ValueOf<P>;
};

/** Checks one value against its description. */
export function checkParameter(fn: string, parameter: Parameter, value: unknown): number | string {
  switch (parameter.kind) {
    case 'number':
      return checkNumber(fn, parameter, value);
    case 'integer':
      return checkInteger(fn, parameter.name, value, parameter.min);
    case 'enum': {
      const list = parameter.values;
      if (list.includes(value as string)) return value as string;
      return checkOneOf(
        fn,
        parameter.name,
        value,
        list,
        typeof value === 'string' ? torchSays(parameter.name, value) : undefined,
      );
    }
  }
}

function checkNumber(fn: string, parameter: NumberParameter, value: unknown): number {
  const { name, min = Number.NEGATIVE_INFINITY, finite = true } = parameter;
  if (typeof value === 'number' && (!finite || (Number.isFinite(value) && value >= min))) return value;
  const what = `a${finite ? ' finite' : ''} number${Number.isFinite(min) ? ` ≥ ${min}` : ''}`;
  if (typeof value !== 'number') throw typeError(fn, name, what, value);
  throw rangeError(fn, name, what, value);
}

/** PyTorch's words, for whoever searches for them. */
function torchSays(name: string, value: string): string | undefined {
  if (name === 'mode') return `Mode ${value} not supported`;
  return name === 'nonlinearity' ? `Unsupported nonlinearity ${value}` : undefined;
}
