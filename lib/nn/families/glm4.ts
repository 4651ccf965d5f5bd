import { z } from 'zod';
import { container } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 151552,
      hidden_size: 4096,
      intermediate_size: 13696,
      num_hidden_layers: 40,
      num_attention_heads: 32,
      pad_token_id: 151329,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(2),
    head_dim: size().default(128),
    attention_bias: flag().default(true),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** GLM-4 (Zhipu AI 2025), initialized as Llama is: four norms a layer, gate and up in one matrix. */
export const glm4 = defineArchitecture({
  model_type: 'glm4',
  config,
  classes: decoderFamily<z.output<typeof config>>('Glm4', {
    layer: (config) => ({
      self_attn: attention(config, { bias: config.attention_bias, outputBias: false }),
      mlp: container('MLP', {
        gate_up_proj: linear(config.hidden_size, 2 * config.intermediate_size, false),
        down_proj: linear(config.intermediate_size, config.hidden_size, false),
      }),
      input_layernorm: rmsNorm(config.hidden_size),
      post_attention_layernorm: rmsNorm(config.hidden_size),
      post_self_attn_layernorm: rmsNorm(config.hidden_size),
      post_mlp_layernorm: rmsNorm(config.hidden_size),
    }),
    norm: rmsNorm,
  }),
});
