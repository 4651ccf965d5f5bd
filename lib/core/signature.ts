import type { InputOf, LayerType } from './parameter.js';

// What the types of `init.*_` and of layers' functions share: from a table's parameters to lists of arguments.

/** The positional parameters of a list, in order. */
export type PositionalOf<Ps extends readonly unknown[]> = Ps extends readonly [infer P, ...infer Rest]
  ? P extends { readonly positional: true }
    ? [P, ...PositionalOf<Rest>]
    : PositionalOf<Rest>
  : [];

export type NameOf<P> = P extends { readonly name: infer N extends string } ? N : never;

/** One positional argument, as a list that has its label; `L` says what stands for a layer. */
export type Label<P, L extends LayerType = LayerType> = P extends {
  readonly name: infer N extends keyof Labels<unknown>;
}
  ? P extends { readonly required: true }
    ? Labels<InputOf<P, L>>[N]
    : Labels<InputOf<P, L> | undefined>[N]
  : never;

/** All arguments by position. */
export type ByPosition<Ps extends readonly unknown[], L extends LayerType = LayerType> = Ps extends readonly [
  infer P,
  ...infer Rest,
]
  ? P extends { readonly required: true }
    ? [...Label<P, L>, ...ByPosition<Rest, L>]
    : [...Partial<Label<P, L>>, ...ByPosition<Rest, L>]
  : [];

/** One object type for an intersection: TypeScript takes anything for an object of nothing but options otherwise. */
export type Flat<T> = { [K in keyof T]: T[K] };

/** The last argument, the options: they must be there where one of them must. */
export type OptionsArgument<O> = Record<never, never> extends O ? [options?: O | undefined] : [options: O];

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
  mask_check: [mask_check: V];
  max_norm: [max_norm: V];
  mean: [mean: V];
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
  std: [std: V];
  stride: [stride: V];
  track_running_stats: [track_running_stats: V];
  val: [val: V];
  vdim: [vdim: V];
}
