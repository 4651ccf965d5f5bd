import type { Setting } from '../core/arguments.js';
import type {
  ByPosition,
  Flat,
  Label,
  NameOf,
  OptionsArgument,
  PositionalOf,
  Unlabelled as UnlabelledOf,
} from '../core/signature.js';
import type { Generator } from '../random/generator.js';
import type { TensorLike } from '../tensor/tensor.js';
import type { initializers, Name, Options, ParametersOf } from './initializers.js';

// The types of `init.*_`, from the table.

type IsRandom<N extends Name> = (typeof initializers)[N]['random'];

type Slots<N extends Name> =
  IsRandom<N> extends true
    ? [...PositionalOf<ParametersOf<N>>, Setting<'generator', Generator>]
    : PositionalOf<ParametersOf<N>>;

/** The keywords of an initializer: its parameters, `threads` (1 to 1024), and `generator` where it is random. */
export type Keywords<N extends Name, Extra = unknown> = Flat<
  Options<N> &
    Extra & { readonly threads?: number | undefined } & (IsRandom<N> extends true
      ? { readonly generator?: Generator | undefined }
      : unknown)
>;

type Returned<T, R extends 'tensor' | 'promise'> = R extends 'tensor' ? T : Promise<T>;

type Signature<R extends 'tensor' | 'promise', A extends readonly unknown[]> = <T extends TensorLike>(
  tensor: T,
  ...args: A
) => Returned<T, R>;

/** One signature for each number of arguments that may stand before the options; those are left out of the options. */
type WithOptions<
  R extends 'tensor' | 'promise',
  S extends readonly unknown[],
  Before extends unknown[],
  O,
> = S extends readonly [infer P, ...infer Rest]
  ? Signature<R, [...Before, ...OptionsArgument<O>]> &
      WithOptions<R, Rest, [...Before, ...Label<P>], Omit<O, NameOf<P>>>
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

/** Never: every positional argument has its label. */
export type Unlabelled = UnlabelledOf<{ [N in Name]: NameOf<Slots<N>[number]> }[Name]>;
