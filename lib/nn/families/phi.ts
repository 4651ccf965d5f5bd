import { z } from 'zod';
import { container } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { decoderFamily, decoderKeys, headDim } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 51200,
      hidden_size: 2048,
      intermediate_size: 8192,
      num_hidden_layers: 24,
      num_attention_heads: 32,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    head_dim: size().optional(),
    qk_layernorm: flag().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Phi-1, 1.5 and 2 (Gunasekar et al. 2023): one norm a layer, biases everywhere, in the head too. */
export const phi = defineArchitecture({
  model_type: 'phi',
  config,
  classes: decoderFamily<z.output<typeof config>>('Phi', {
    layer(config) {
      const { hidden_size, intermediate_size, num_attention_heads: heads, num_key_value_heads, qk_layernorm } = config;
      const queries = heads * headDim(config);
      const keys = (num_key_value_heads ?? heads) * headDim(config);
      const norm = () => layerNorm(Math.floor(hidden_size / heads));
      return {
        self_attn: container('Attention', {
          q_proj: linear(hidden_size, queries),
          k_proj: linear(hidden_size, keys),
          v_proj: linear(hidden_size, keys),
          dense: linear(queries, hidden_size),
          ...(qk_layernorm && { q_layernorm: norm(), k_layernorm: norm() }),
        }),
        mlp: container('MLP', {
          fc1: linear(hidden_size, intermediate_size),
          fc2: linear(intermediate_size, hidden_size),
        }),
        input_layernorm: layerNorm(hidden_size),
      };
    },
    norm: layerNorm,
    normName: 'final_layernorm',
    lmBias: true,
  }),
});
