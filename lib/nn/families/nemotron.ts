import { z } from 'zod';
import { container } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys } from './decoder.js';

const defaults = {
  vocab_size: 256000,
  hidden_size: 6144,
  intermediate_size: 24576,
  num_hidden_layers: 32,
  num_attention_heads: 48,
  pad_token_id: null,
  tie_word_embeddings: false,
};

const keys = decoderKeys(defaults);

const config = z
  .looseObject({
    ...keys,
    num_key_value_heads: size(), // transformers fails without it
    initializer_range: keys.initializer_range.unwrap().default(0.0134),
    attention_bias: flag().default(false),
    mlp_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Nemotron-4 and Minitron (Nvidia 2024): an MLP without a gate, norms that multiply by 1 + weight and begin at 1 in transformers. */
export const nemotron = defineArchitecture({
  model_type: 'nemotron',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'Nemotron',
    {
      layer: (config) => {
        const { hidden_size: width, intermediate_size: inner, mlp_bias } = config;
        return {
          self_attn: attention(config, { bias: config.attention_bias }),
          mlp: container('MLP', { up_proj: linear(width, inner, mlp_bias), down_proj: linear(inner, width, mlp_bias) }),
          input_layernorm: layerNorm(width),
          post_attention_layernorm: layerNorm(width),
        };
      },
      norm: layerNorm,
    },
    { answers: 'transformer' },
  ),
});
