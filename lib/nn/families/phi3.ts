import { z } from 'zod';
import { container } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, headsRotate, paddingFits, size } from './architecture.js';
import { decoderFamily, decoderKeys, headDim } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 32064,
      hidden_size: 3072,
      intermediate_size: 8192,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: 32000,
      tie_word_embeddings: false,
    }),
    head_dim: size().optional(),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Phi-3 (Abdin et al. 2024), initialized as Llama is; queries, keys and values are one matrix, gate and up another. */
export const phi3 = defineArchitecture({
  model_type: 'phi3',
  config,
  classes: decoderFamily<z.output<typeof config>>('Phi3', {
    layer(config) {
      const { hidden_size, intermediate_size, num_attention_heads: heads, num_key_value_heads } = config;
      const width = headDim(config);
      return {
        self_attn: container('Attention', {
          o_proj: linear(heads * width, hidden_size, false),
          qkv_proj: linear(hidden_size, (heads + 2 * (num_key_value_heads ?? heads)) * width, false),
        }),
        mlp: container('MLP', {
          gate_up_proj: linear(hidden_size, 2 * intermediate_size, false),
          down_proj: linear(intermediate_size, hidden_size, false),
        }),
        input_layernorm: rmsNorm(hidden_size),
        post_attention_layernorm: rmsNorm(hidden_size),
      };
    },
    norm: rmsNorm,
  }),
});
