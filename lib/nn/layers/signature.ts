import type { Dtype } from '../../core/dtype.js';
import type { OptionsOf } from '../../core/parameter.js';
import type {
  ByPosition,
  Flat,
  Label,
  NameOf,
  OptionsArgument,
  PositionalOf,
  Unlabelled as UnlabelledOf,
} from '../../core/signature.js';
import type { Generator } from '../../random/generator.js';
import type { DataOf, Tensor } from '../../tensor/tensor.js';
import type { definitions, LayerKind } from '../modules/table.js';

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

/** A counter among a layer's buffers; zero when the layer is new. */
export interface Counter {
  readonly data: BigInt64Array;
  readonly shape: readonly number[];
  readonly dtype: 'int64';
}

/** Whether a layer may have counters: batch statistics have, and so may layers within a layer. */
type HasCounters<K extends LayerKind> = K extends `${string}Norm${1 | 2 | 3}d`
  ? true
  : Extract<ArgumentsOf<K>[number], { readonly kind: 'layer' }> extends never
    ? false
    : true;

/** A new layer's tensors by their names in `state_dict`, in its order. */
export type StateDict<K extends LayerKind = LayerKind, D extends Dtype = Dtype> = Record<
  string,
  Tensor<DataOf<D>> | (HasCounters<K> extends true ? Counter : never)
>;

/** What every layer's function takes besides PyTorch's arguments. */
export interface LayerOptions<D extends Dtype = Dtype> {
  /** 'float32' by default. */
  readonly dtype?: D | undefined;
  /** default_generator by default. */
  readonly generator?: Generator | undefined;
  /** Native threads, 1 to 1024; set_num_threads' number by default. */
  readonly threads?: number | undefined;
}

type Signature<K extends LayerKind, Before extends readonly unknown[], O> = <D extends Dtype = 'float32'>(
  ...args: [...Before, ...OptionsArgument<Flat<O & LayerOptions<D>>>]
) => StateDict<K, D>;

/** One signature for each number of arguments before the options, which then lack those. */
type WithOptions<
  K extends LayerKind,
  As extends readonly unknown[],
  Before extends unknown[],
  O,
> = As extends readonly [infer A, ...infer Rest]
  ? Signature<K, Before, O> & WithOptions<K, Rest, [...Before, ...Label<A, Described>], Omit<O, NameOf<A>>>
  : Signature<K, Before, O>;

/**
 * The type of a layer's function: PyTorch's arguments by position or as keywords in a last object, which also takes
 * `dtype`, `generator` and `threads`.
 */
export type LayerFunction<K extends LayerKind> = ((
  ...args: ByPosition<PositionalOf<ArgumentsOf<K>>, Described>
) => StateDict<K, 'float32'>) &
  WithOptions<K, PositionalOf<ArgumentsOf<K>>, [], LayerArguments<K>>;

/** Never: every positional argument has its label. */
export type Unlabelled = UnlabelledOf<{ [K in LayerKind]: NameOf<PositionalOf<ArgumentsOf<K>>[number]> }[LayerKind]>;
