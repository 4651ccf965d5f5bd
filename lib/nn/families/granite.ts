import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 32000,
      hidden_size: 4096,
      intermediate_size: 11008,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    head_dim: size().optional(),
    attention_bias: flag().default(false),
    mlp_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Granite (IBM 2024), initialized as Llama is; its multipliers scale what the layers compute, no tensors. */
export const granite = defineArchitecture({
  model_type: 'granite',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'Granite',
    {
      layer: (config) => ({
        self_attn: attention(config, { bias: config.attention_bias }),
        mlp: gatedMlp(config, config.mlp_bias),
        input_layernorm: rmsNorm(config.hidden_size),
        post_attention_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
    },
    { sequences: false, tokens: false },
  ),
});
