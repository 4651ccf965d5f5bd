import type { Dtype } from '../../core/dtype.js';
import type { Generator } from '../../random/generator.js';
import type { DataOf, Tensor } from '../../tensor/tensor.js';
import type { definitions, LayerKind } from '../modules/table.js';
import type { Argument } from './argument.js';

// The types of the functions that make layers, from the table.

type ArgumentsOf<K extends LayerKind> = (typeof definitions)[K]['arguments'];

/** What a caller may give for an argument. */
type Input<A> =
  | (A extends { readonly nullable: true } ? null : never)
  | (A extends { readonly kind: 'boolean' }
      ? boolean
      : A extends { readonly kind: 'sizes' }
        ? number | readonly number[] | Words<A>
        : A extends { readonly kind: 'word' }
          ? Words<A>
          : A extends { readonly kind: 'layer' }
            ? LayerDescription
            : number);

type Words<A> = A extends { readonly words: readonly (infer W)[] } ? W : never;

/** The arguments of a layer by name; only those without a default must be there. */
export type LayerArguments<K extends LayerKind> = Flat<
  {
    readonly [A in ArgumentsOf<K>[number] as A extends { readonly required: true } ? never : A['name']]?:
      | Input<A>
      | undefined;
  } & {
    readonly [A in ArgumentsOf<K>[number] as A extends { readonly required: true } ? A['name'] : never]: Input<A>;
  }
>;

/** A layer as an argument of another one: `{ layer: 'LayerNorm', normalized_shape: 512 }`. */
export type LayerDescription = {
  readonly [K in LayerKind]: Flat<{ readonly layer: K } & LayerArguments<K>>;
}[LayerKind];

/** One object type for an intersection: TypeScript takes anything for an object of nothing but options otherwise. */
type Flat<T> = { [K in keyof T]: T[K] };

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

type NameOf<A> = A extends { readonly name: infer N extends string } ? N : never;

type Positional<As extends readonly unknown[]> = As extends readonly [infer A, ...infer Rest]
  ? A extends { readonly positional: true }
    ? [A, ...Positional<Rest>]
    : Positional<Rest>
  : [];

type Label<A> = A extends { readonly name: infer N extends keyof Labels<unknown> }
  ? A extends { readonly required: true }
    ? Labels<Input<A>>[N]
    : Labels<Input<A> | undefined>[N]
  : never;

/** All arguments by position. */
type ByPosition<As extends readonly unknown[]> = As extends readonly [infer A, ...infer Rest]
  ? A extends { readonly required: true }
    ? [...Label<A>, ...ByPosition<Rest>]
    : [...Partial<Label<A>>, ...ByPosition<Rest>]
  : [];

type OptionsArgument<O> = Record<never, never> extends O ? [options?: O | undefined] : [options: O];

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
  ? Signature<K, Before, O> & WithOptions<K, Rest, [...Before, ...Label<A>], Omit<O, NameOf<A>>>
  : Signature<K, Before, O>;

/**
 * The type of a layer's function: PyTorch's arguments by position or as keywords in a last object, which also takes
 * `dtype`, `generator` and `threads`.
 */
export type LayerFunction<K extends LayerKind> = ((
  ...args: ByPosition<Positional<ArgumentsOf<K>>>
) => StateDict<K, 'float32'>) &
  WithOptions<K, Positional<ArgumentsOf<K>>, [], LayerArguments<K>>;

/** One positional argument with its label, which editors show; labels cannot be made from strings. */
interface Labels<V> {
  activation: [activation: V];
  add_bias_kv: [add_bias_kv: V];
  add_zero_attn: [add_zero_attn: V];
  affine: [affine: V];
  batch_first: [batch_first: V];
  bias: [bias: V];
  bidirectional: [bidirectional: V];
  custom_decoder: [custom_decoder: V];
  custom_encoder: [custom_encoder: V];
  d_model: [d_model: V];
  decoder_layer: [decoder_layer: V];
  dilation: [dilation: V];
  dim_feedforward: [dim_feedforward: V];
  dropout: [dropout: V];
  elementwise_affine: [elementwise_affine: V];
  embed_dim: [embed_dim: V];
  embedding_dim: [embedding_dim: V];
  enable_nested_tensor: [enable_nested_tensor: V];
  encoder_layer: [encoder_layer: V];
  eps: [eps: V];
  groups: [groups: V];
  hidden_size: [hidden_size: V];
  in1_features: [in1_features: V];
  in2_features: [in2_features: V];
  in_channels: [in_channels: V];
  in_features: [in_features: V];
  init: [init: V];
  input_size: [input_size: V];
  kdim: [kdim: V];
  kernel_size: [kernel_size: V];
  layer_norm_eps: [layer_norm_eps: V];
  mask_check: [mask_check: V];
  max_norm: [max_norm: V];
  mode: [mode: V];
  momentum: [momentum: V];
  nhead: [nhead: V];
  nonlinearity: [nonlinearity: V];
  norm: [norm: V];
  norm_first: [norm_first: V];
  norm_type: [norm_type: V];
  normalized_shape: [normalized_shape: V];
  num_channels: [num_channels: V];
  num_decoder_layers: [num_decoder_layers: V];
  num_embeddings: [num_embeddings: V];
  num_encoder_layers: [num_encoder_layers: V];
  num_features: [num_features: V];
  num_groups: [num_groups: V];
  num_heads: [num_heads: V];
  num_layers: [num_layers: V];
  num_parameters: [num_parameters: V];
  out_channels: [out_channels: V];
  out_features: [out_features: V];
  output_padding: [output_padding: V];
  padding: [padding: V];
  padding_idx: [padding_idx: V];
  padding_mode: [padding_mode: V];
  proj_size: [proj_size: V];
  scale_grad_by_freq: [scale_grad_by_freq: V];
  sparse: [sparse: V];
  stride: [stride: V];
  track_running_stats: [track_running_stats: V];
  vdim: [vdim: V];
}

/** Every positional argument has its label: this does not compile otherwise. */
export type Unlabelled =
  Exclude<
    { [K in LayerKind]: Extract<ArgumentsOf<K>[number], Argument & { readonly positional: true }>['name'] }[LayerKind],
    keyof Labels<unknown>
  > extends never
    ? never
    : 'a label is missing';
