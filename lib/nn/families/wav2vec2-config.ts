import { z } from 'zod';
import { flag, labels, layers, optionalSize, size, std } from './architecture.js';

const sizes = () => z.array(size());
const probability = () => z.number({ error: 'a number' });

/** wav2vec 2.0's keys. */
export const config = z
  .looseObject({
    ...labels,
    vocab_size: optionalSize().default(32),
    hidden_size: size().default(768),
    num_hidden_layers: layers().default(12),
    num_attention_heads: size().default(12),
    intermediate_size: size().default(3072),
    initializer_range: std().default(0.02),
    feat_extract_norm: z.enum(['group', 'layer'], { error: "'group' or 'layer'" }).default('group'),
    conv_dim: sizes().min(1).default([512, 512, 512, 512, 512, 512, 512]),
    conv_stride: sizes().default([5, 2, 2, 2, 2, 2, 2]),
    conv_kernel: sizes().default([10, 3, 3, 3, 3, 2, 2]),
    conv_bias: flag().default(false),
    num_conv_pos_embeddings: size().default(128),
    num_conv_pos_embedding_groups: size().default(16),
    do_stable_layer_norm: flag().default(false),
    mask_time_prob: probability().default(0.05),
    mask_feature_prob: probability().default(0),
    num_codevectors_per_group: size().default(320),
    num_codevector_groups: size().default(2),
    codevector_dim: size().default(256),
    proj_codevector_dim: size().default(256),
    use_weighted_layer_sum: flag().default(false),
    classifier_proj_size: size().default(256),
    add_adapter: flag().default(false),
    adapter_kernel_size: size().default(3),
    num_adapter_layers: layers().default(3),
    output_hidden_size: optionalSize(),
    adapter_attn_dim: optionalSize(),
    tdnn_dim: sizes().default([512, 512, 512, 512, 1500]),
    tdnn_kernel: sizes().default([5, 3, 3, 1, 1]),
    tdnn_dilation: sizes().default([1, 2, 3, 1, 1]),
    xvector_output_dim: size().default(512),
  })
  .refine(
    ({ conv_dim, conv_stride, conv_kernel }) => {
      return conv_stride.length === conv_dim.length && conv_kernel.length === conv_dim.length;
    },
    { path: ['conv_dim'], error: 'as many as conv_stride and conv_kernel have' },
  )
  .refine(({ conv_dim, num_feat_extract_layers: saved }) => saved === undefined || saved === conv_dim.length, {
    path: ['num_feat_extract_layers'],
    error: 'as many as conv_dim has',
  })
  .refine(({ hidden_size, num_attention_heads: heads }) => hidden_size % heads === 0, {
    path: ['hidden_size'],
    error: 'a multiple of num_attention_heads',
  })
  .refine(({ hidden_size, num_conv_pos_embedding_groups: groups }) => hidden_size % groups === 0, {
    path: ['hidden_size'],
    error: 'a multiple of num_conv_pos_embedding_groups',
  });

export type Wav2Vec2Config = z.output<typeof config>;

/** The width of what the model gives. */
export function outputWidth({ add_adapter, output_hidden_size, hidden_size }: Wav2Vec2Config): number {
  return add_adapter ? (output_hidden_size ?? hidden_size) : hidden_size;
}
