import { z } from 'zod';
import { container } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, paddingFits } from './architecture.js';
import { decoderFamily, decoderKeys } from './decoder.js';

const defaults = {
  vocab_size: 262144,
  hidden_size: 4096,
  intermediate_size: 16384,
  num_hidden_layers: 36,
  num_attention_heads: 64,
  pad_token_id: null,
  tie_word_embeddings: false,
};

const config = z
  .looseObject({ ...decoderKeys(defaults), qk_layernorm: flag().default(true) })
  .refine(...headsDivide)
  .refine(...paddingFits);

/** Persimmon (Adept 2023): N(0, initializer_range²), queries, keys and values in one matrix, norms of each head's queries and keys. */
export const persimmon = defineArchitecture({
  model_type: 'persimmon',
  config,
  classes: decoderFamily<z.output<typeof config>>('Persimmon', {
    layer: ({ hidden_size: width, intermediate_size: inner, num_attention_heads: heads, qk_layernorm }) => {
      const norm = () => layerNorm(width / heads);
      return {
        self_attn: container('Attention', {
          query_key_value: linear(width, 3 * width),
          dense: linear(width, width),
          ...(qk_layernorm && { q_layernorm: norm(), k_layernorm: norm() }),
        }),
        mlp: container('MLP', { dense_h_to_4h: linear(width, inner), dense_4h_to_h: linear(inner, width) }),
        input_layernorm: layerNorm(width),
        post_attention_layernorm: layerNorm(width),
      };
    },
    norm: layerNorm,
    normName: 'final_layernorm',
  }),
});
