import { z } from 'zod';
import { container, type Module } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { type DecoderConfig, decoderFamily, decoderKeys, gatedMlp, attention as projections } from './decoder.js';

const defaults = {
  vocab_size: 48000,
  hidden_size: 2560,
  intermediate_size: 7040,
  num_hidden_layers: 24,
  num_attention_heads: 20,
  pad_token_id: 3,
  tie_word_embeddings: false,
};

const config = z
  .looseObject({
    ...decoderKeys(defaults),
    num_key_value_heads: size().default(20),
    head_dim: size().default(128),
    attention_bias: flag().default(false),
    mlp_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** The projection back is square, whatever the heads are. */
function attention(config: DecoderConfig & { attention_bias: boolean }): Module {
  const { children } = projections(config, { bias: config.attention_bias });
  const o_proj = linear(config.hidden_size, config.hidden_size, false);
  return container('Attention', { ...(children as Record<string, Module>), o_proj });
}

/** Helium (Kyutai 2025), initialized as Llama is. */
export const helium = defineArchitecture({
  model_type: 'helium',
  config,
  classes: decoderFamily<z.output<typeof config>>('Helium', {
    layer: (config) => ({
      self_attn: attention(config),
      mlp: gatedMlp(config, config.mlp_bias),
      input_layernorm: rmsNorm(config.hidden_size),
      post_attention_layernorm: rmsNorm(config.hidden_size),
    }),
    norm: rmsNorm,
  }),
});
