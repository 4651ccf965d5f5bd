import type { Dtype } from '../../core/dtype.js';
import type { InputOf, OptionsOf } from '../../core/parameter.js';
import type { ArgumentLists, Flat, NameOf, PositionalOf, Unlabelled as UnlabelledOf } from '../../core/signature.js';
import type { Generator } from '../../random/generator.js';
import type { definitions, LayerKind } from '../modules/table.js';
import type { StateDict } from './state.js';

// The types of the functions that make layers, from the table.

type ArgumentsOf<K extends LayerKind> = (typeof definitions)[K]['arguments'];

/** The arguments of a layer by name; only those without a default must be there. */
export type LayerArguments<K extends LayerKind> = Flat<OptionsOf<ArgumentsOf<K>, Described>>;

/** A layer as an argument of another one: `{ layer: 'LayerNorm', normalized_shape: 512 }`. */
export type LayerDescription = {
  readonly [K in LayerKind]: Flat<{ readonly layer: K } & LayerArguments<K>>;
}[LayerKind];

/** What callers give for layers. */
interface Described {
  readonly layer: LayerDescription;
}

/** What every layer's function takes besides PyTorch's arguments. */
export interface LayerOptions<D extends Dtype = Dtype> {
  /** 'float32' by default. */
  readonly dtype?: D | undefined;
  /** default_generator by default. */
  readonly generator?: Generator | undefined;
  /** Native threads, 1 to 1024; set_num_threads' number by default. */
  readonly threads?: number | undefined;
}

/** The arguments on whose values it may depend which tensors there are: four at most. */
type Telling<Ps extends readonly unknown[]> = Ps extends readonly [infer P, ...infer Rest]
  ? P extends { readonly unused: true }
    ? Telling<Rest>
    : P extends { readonly kind: 'boolean' | 'layer' } | { readonly kind: 'integer'; readonly nullable: true }
      ? [P, ...Telling<Rest>]
      : Telling<Rest>
  : [];

type TellingOf<K extends LayerKind> = Telling<ArgumentsOf<K>>;

type At<List extends readonly unknown[], I extends number> = List[I];

/** What a type parameter of a function stands for: the argument's type, or of a layer its kind; and what it is where it is left out. */
type Bound<P> = P extends { readonly kind: 'layer' }
  ? LayerKind
  : P extends { readonly kind: string }
    ? InputOf<P>
    : unknown;
type Default<P> = P extends { readonly kind: 'layer' }
  ? never
  : P extends { readonly default: infer V }
    ? Extract<V, Bound<P>>
    : never;

type Four<K extends LayerKind, Ts extends readonly unknown[]> = {
  readonly [I in 0 | 1 | 2 | 3 as NameOf<At<TellingOf<K>, I>>]: Ts[I];
};

type Taken<P, T> = P extends { readonly kind: 'layer' }
  ? (LayerDescription & { readonly layer: T }) | (P extends { readonly nullable: true } ? null : never)
  : T;

type TakenFour<K extends LayerKind, Ts extends readonly unknown[]> = {
  readonly [I in 0 | 1 | 2 | 3 as NameOf<At<TellingOf<K>, I>>]: Taken<At<TellingOf<K>, I>, Ts[I]>;
};

type AllKeywords<K extends LayerKind, D extends Dtype, Extra> = LayerArguments<K> & LayerOptions<D> & Extra;

/** All that a layer's function takes by name. */
type Keywords<K extends LayerKind, D extends Dtype, G, Extra> = {
  readonly [N in keyof AllKeywords<K, D, Extra>]: N extends keyof G
    ? G[N] | Extract<AllKeywords<K, D, Extra>[N], undefined>
    : AllKeywords<K, D, Extra>[N];
};

type Lists<K extends LayerKind, D extends Dtype, G, Extra> = ArgumentLists<
  PositionalOf<ArgumentsOf<K>>,
  Keywords<K, D, G, Extra>,
  G
>;

type Returned<S, R extends 'state' | 'promise'> = R extends 'state' ? S : Promise<S>;

type Signature<K extends LayerKind, I extends number, R extends 'state' | 'promise', Extra> = <
  D extends Dtype = 'float32',
  A extends Bound<At<TellingOf<K>, 0>> = Default<At<TellingOf<K>, 0>>,
  B extends Bound<At<TellingOf<K>, 1>> = Default<At<TellingOf<K>, 1>>,
  C extends Bound<At<TellingOf<K>, 2>> = Default<At<TellingOf<K>, 2>>,
  E extends Bound<At<TellingOf<K>, 3>> = Default<At<TellingOf<K>, 3>>,
>(
  ...args: Lists<K, D, TakenFour<K, [A, B, C, E]>, Extra>[I]
) => Returned<StateDict<K, D, Four<K, [A, B, C, E]>>, R>;

type Signatures<
  K extends LayerKind,
  R extends 'state' | 'promise',
  Extra,
  All extends readonly unknown[],
  Done extends readonly unknown[] = [],
> = Done['length'] extends All['length']
  ? unknown
  : Signature<K, Done['length'], R, Extra> & Signatures<K, R, Extra, All, [...Done, unknown]>;

/**
 * The type of a layer's function: PyTorch's arguments by position or as keywords in a last object, which also takes
 * `dtype`, `generator` and `threads`. With 'promise' it is that of a pool, whose further keywords are `Extra`.
 */
export type LayerFunction<K extends LayerKind, R extends 'state' | 'promise' = 'state', Extra = unknown> = Signatures<
  K,
  R,
  Extra,
  Lists<K, Dtype, unknown, Extra>
>;

/** Never: every positional argument has its label. */
export type Unlabelled = UnlabelledOf<{ [K in LayerKind]: NameOf<PositionalOf<ArgumentsOf<K>>[number]> }[LayerKind]>;
