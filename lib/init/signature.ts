import type { ValueOf } from '../core/parameter.js';
import type { Generator } from '../random/generator.js';
import type { TensorLike } from '../tensor/tensor.js';
import type { initializers, Name, Options, ParametersOf } from './initializers.js';

// The types of `init.*_`, from the table.

/** One positional argument with its label, which editors show; labels cannot be made from strings. */
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

/** Every positional argument has its label: this does not compile otherwise. */
export type Unlabelled =
  Exclude<{ [N in Name]: NameOf<Slots<N>[number]> }[Name], keyof Labels<unknown>> extends never
    ? never
    : 'a label is missing';
