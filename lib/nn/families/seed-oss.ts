import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';

const defaults = {
  vocab_size: 155136,
  hidden_size: 4096,
  intermediate_size: 27648,
  num_hidden_layers: 64,
  num_attention_heads: 80,
  pad_token_id: 1,
  tie_word_embeddings: false,
};

const config = z
  .looseObject({
    ...decoderKeys(defaults),
    num_key_value_heads: size().nullable().default(8),
    head_dim: size().nullable().default(128),
    attention_bias: flag().default(true),
    attention_out_bias: flag().default(false),
    mlp_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Seed-OSS (ByteDance 2025), initialized as Llama is: the projection back has a bias of its own key. */
export const seedOss = defineArchitecture({
  model_type: 'seed_oss',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'SeedOss',
    {
      layer: (config) => ({
        self_attn: attention(config, { bias: config.attention_bias, outputBias: config.attention_out_bias }),
        mlp: gatedMlp(config, config.mlp_bias),
        input_layernorm: rmsNorm(config.hidden_size),
        post_attention_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
    },
    { answers: 'transformer' },
  ),
});
