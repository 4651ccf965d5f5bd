import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';

const defaults = {
  vocab_size: 103424,
  hidden_size: 1024,
  intermediate_size: 3072,
  num_hidden_layers: 18,
  num_attention_heads: 16,
  pad_token_id: 0,
  tie_word_embeddings: true,
};

const config = z
  .looseObject({
    ...decoderKeys(defaults),
    num_key_value_heads: size().nullable().default(2),
    head_dim: size().nullable().default(128),
    use_bias: flag().nullable().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** ERNIE 4.5's dense models (Baidu 2025), initialized as Llama is: one key for all biases. */
export const ernie45 = defineArchitecture({
  model_type: 'ernie4_5',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'Ernie4_5',
    {
      layer: (config) => ({
        self_attn: attention(config, { bias: config.use_bias ?? false }),
        mlp: gatedMlp(config, config.use_bias ?? false),
        input_layernorm: rmsNorm(config.hidden_size),
        post_attention_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
    },
    { sequences: false, tokens: false },
  ),
});
