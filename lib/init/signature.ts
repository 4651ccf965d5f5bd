import type { Setting } from '../core/arguments.js';
import type { ArgumentLists, NameOf, PositionalOf, Unlabelled as UnlabelledOf } from '../core/signature.js';
import type { Generator } from '../random/generator.js';
import type { NarrowTensor } from '../tensor/narrow.js';
import type { TensorLike } from '../tensor/tensor.js';
import type { initializers, Name, Options, ParametersOf } from './initializers.js';

// The types of `init.*_`, from the table.

type IsRandom<N extends Name> = (typeof initializers)[N]['random'];

type Slots<N extends Name> =
  IsRandom<N> extends true
    ? [...PositionalOf<ParametersOf<N>>, Setting<'generator', Generator>]
    : PositionalOf<ParametersOf<N>>;

type AllKeywords<N extends Name, Extra> = Options<N> &
  Extra & { readonly threads?: number | undefined } & (IsRandom<N> extends true
    ? { readonly generator?: Generator | undefined }
    : unknown);

/** The keywords of an initializer: its parameters, `threads` (1 to 1024), and `generator` where it is random. */
export type Keywords<N extends Name, Extra = unknown> = {
  readonly [K in keyof AllKeywords<N, Extra>]: AllKeywords<N, Extra>[K];
};

type Signature<R extends 'tensor' | 'promise', A extends readonly unknown[]> = <T extends TensorLike | NarrowTensor>(
  tensor: T,
  ...args: A
) => R extends 'tensor' ? T : Promise<T>;

type Signatures<R extends 'tensor' | 'promise', Lists> = Lists extends [
  infer A extends readonly unknown[],
  ...infer Others,
]
  ? Signature<R, A> & Signatures<R, Others>
  : unknown;

/**
 * The type of `init.*_` for one initializer: its parameters by position or as keywords in a last object. With 'promise' it
 * is that of a pool, whose further keywords are `Extra`.
 */
export type InitFunction<N extends Name, R extends 'tensor' | 'promise' = 'tensor', Extra = unknown> = Signatures<
  R,
  ArgumentLists<Slots<N>, Keywords<N, Extra>>
>;

/** Never: every positional argument has its label. */
export type Unlabelled = UnlabelledOf<{ [N in Name]: NameOf<Slots<N>[number]> }[Name]>;
