import { z } from 'zod';
import { container, type Module } from '../module.js';
import { conv1d, linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { decoderFamily, decoderKeys, headDim } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 65536,
      hidden_size: 2560,
      intermediate_size: 12288,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: 0,
      tie_word_embeddings: true,
    }),
    num_key_value_heads: size().default(8),
    head_dim: size().optional(),
    conv_bias: flag().default(false),
    conv_L_cache: size().default(3),
    block_multiple_of: size().default(256),
    block_ffn_dim_multiplier: z.number({ error: 'a number, or null' }).nullable().default(1),
    block_auto_adjust_ff_dim: flag().default(true),
    full_attn_idxs: z.array(z.int({ error: 'a whole number' })).nullish(),
    layer_types: z.array(z.enum(['full_attention', 'conv'], { error: 'full_attention or conv' })).nullish(),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

function isAttention({ layer_types, full_attn_idxs }: Config, index: number): boolean {
  if (layer_types != null) return layer_types[index] === 'full_attention';
  return full_attn_idxs == null || full_attn_idxs.includes(index);
}

/** Two thirds of the size given, times a factor, rounded up to a multiple; unless the config says not to. */
function innerSize(config: Config): number {
  const { intermediate_size, block_multiple_of: multiple, block_ffn_dim_multiplier: factor } = config;
  if (!config.block_auto_adjust_ff_dim) return intermediate_size;
  const inner = Math.trunc((2 * intermediate_size) / 3);
  return factor === null ? inner : multiple * Math.floor((Math.trunc(factor * inner) + multiple - 1) / multiple);
}

function attention(config: Config): Module {
  const { hidden_size: width, num_attention_heads: heads, num_key_value_heads: keyHeads } = config;
  const head = headDim(config);
  return container('Attention', {
    q_proj: linear(width, heads * head, false),
    k_proj: linear(width, keyHeads * head, false),
    v_proj: linear(width, keyHeads * head, false),
    out_proj: linear(heads * head, width, false),
    q_layernorm: rmsNorm(head),
    k_layernorm: rmsNorm(head),
  });
}

function shortConvolution({ hidden_size: width, conv_L_cache, conv_bias: bias }: Config): Module {
  return container('ShortConv', {
    conv: conv1d(width, width, conv_L_cache, { groups: width, bias }),
    in_proj: linear(width, 3 * width, bias),
    out_proj: linear(width, width, bias),
  });
}

/** LFM2 (Liquid AI 2025): short convolutions in most layers, attention in the others. */
export const lfm2 = defineArchitecture({
  model_type: 'lfm2',
  config,
  // Old names, which win.
  prepare: ({ tie_embedding, block_ff_dim, ...config }) => ({
    ...config,
    ...(tie_embedding !== undefined && { tie_word_embeddings: tie_embedding }),
    ...(block_ff_dim !== undefined && { intermediate_size: block_ff_dim }),
  }),
  classes: decoderFamily<Config>(
    'Lfm2',
    {
      layer(config, index) {
        const { hidden_size: width } = config;
        const inner = innerSize(config);
        return {
          ...(isAttention(config, index) ? { self_attn: attention(config) } : { conv: shortConvolution(config) }),
          feed_forward: container('MLP', {
            w1: linear(width, inner, false),
            w3: linear(width, inner, false),
            w2: linear(inner, width, false),
          }),
          operator_norm: rmsNorm(width),
          ffn_norm: rmsNorm(width),
        };
      },
      norm: rmsNorm,
      normName: 'embedding_norm',
    },
    { sequences: false, tokens: false },
  ),
});
