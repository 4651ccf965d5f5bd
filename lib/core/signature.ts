import type { InputOf } from './parameter.js';

// What the types of `init.*_` and of layers' functions share: from a table's parameters to lists of arguments.

/** The positional parameters of a list, in order. */
export type PositionalOf<Ps extends readonly unknown[]> = Ps extends readonly [infer P, ...infer Rest]
  ? P extends { readonly positional: true }
    ? [P, ...PositionalOf<Rest>]
    : PositionalOf<Rest>
  : [];

export type NameOf<P> = P extends { readonly name: infer N extends string } ? N : never;

/** One object type for an intersection: TypeScript takes anything for an object of nothing but options otherwise. */
export type Flat<T> = { [K in keyof T]: T[K] };

/** What a caller may give for a parameter; `G` says it by name where the parameter does not know it. */
type GivenFor<P, G> = P extends { readonly name: infer N extends keyof G } ? G[N] : InputOf<P>;

/** One argument by position, as a list that has its label. */
type Labelled<P, V> = P extends { readonly name: infer N extends keyof Labels<unknown> }
  ? P extends { readonly required: true }
    ? Labels<V>[N]
    : Labels<V | undefined>[N]
  : never;

type MustBeGiven<Ps extends readonly unknown[]> =
  Extract<Ps[number], { readonly required: true }> extends never ? false : true;

/** The options without those that were given by position. */
type Rest<O, Given extends string> = [Given] extends [never] ? O : Omit<O, Given>;

type FromOneOn<
  Ps extends readonly unknown[],
  O,
  G,
  Before extends readonly unknown[] = [],
  Given extends string = never,
> = Ps extends readonly [infer P, ...infer Others]
  ? [
      [...Before, ...Labelled<P, Rest<O, Given> | (MustBeGiven<Others> extends true ? never : GivenFor<P, G>)>],
      ...FromOneOn<Others, O, G, [...Before, ...Labelled<P, GivenFor<P, G>>], Given | NameOf<P>>,
    ]
  : [[...Before, options: Record<never, never> extends Rest<O, Given> ? Rest<O, Given> | undefined : Rest<O, Given>]];

/**
 * All lists of arguments that a function takes, one for each number of arguments: the positional parameters `Ps`, in the last place
 * also the options `O`, which lack what stands before.
 *
 * Each has its own length, so that one signature at most fits a call, and the compiler's message is about that one: it names the
 * option that is misspelt. If several fitted it would say that no overload matches.
 */
export type ArgumentLists<Ps extends readonly unknown[], O, G = unknown> =
  MustBeGiven<Ps> extends true ? FromOneOn<Ps, O, G> : [[], ...FromOneOn<Ps, O, G>];

/** Every positional argument has its label: never, or a table does not compile. */
export type Unlabelled<Name> = Exclude<Name, keyof Labels<unknown>> extends never ? never : 'a label is missing';

/** One positional argument with its label, which editors show; labels cannot be made from strings. */
interface Labels<V> {
  a: [a: V];
  activation: [activation: V];
  add_bias_kv: [add_bias_kv: V];
  add_zero_attn: [add_zero_attn: V];
  affine: [affine: V];
  b: [b: V];
  base: [base: V];
  batch_first: [batch_first: V];
  bias: [bias: V];
  bidirectional: [bidirectional: V];
  custom_decoder: [custom_decoder: V];
  custom_encoder: [custom_encoder: V];
  d_model: [d_model: V];
  decoder_layer: [decoder_layer: V];
  dilation: [dilation: V];
  dim_feedforward: [dim_feedforward: V];
  distribution: [distribution: V];
  dropout: [dropout: V];
  elementwise_affine: [elementwise_affine: V];
  embed_dim: [embed_dim: V];
  embedding_dim: [embedding_dim: V];
  enable_nested_tensor: [enable_nested_tensor: V];
  encoder_layer: [encoder_layer: V];
  eps: [eps: V];
  floor: [floor: V];
  gain: [gain: V];
  generator: [generator: V];
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
  length: [length: V];
  mask_check: [mask_check: V];
  max: [max: V];
  max_norm: [max_norm: V];
  mean: [mean: V];
  min: [min: V];
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
  scale: [scale: V];
  scale_grad_by_freq: [scale_grad_by_freq: V];
  sparse: [sparse: V];
  sparsity: [sparsity: V];
  start: [start: V];
  std: [std: V];
  stride: [stride: V];
  track_running_stats: [track_running_stats: V];
  val: [val: V];
  vdim: [vdim: V];
}
