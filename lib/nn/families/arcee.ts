import { z } from 'zod';
import { container } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, headsRotate, paddingFits } from './architecture.js';
import { attention, decoderFamily, decoderKeys } from './decoder.js';

const defaults = {
  vocab_size: 32000,
  hidden_size: 2560,
  intermediate_size: 18432,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  pad_token_id: null,
  tie_word_embeddings: false,
};

const config = z
  .looseObject({ ...decoderKeys(defaults), attention_bias: flag().default(false), mlp_bias: flag().default(false) })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** AFM (Arcee 2025), initialized as Llama is: an MLP without a gate. */
export const arcee = defineArchitecture({
  model_type: 'arcee',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'Arcee',
    {
      layer: (config) => {
        const { hidden_size: width, intermediate_size: inner, mlp_bias } = config;
        return {
          self_attn: attention(config, { bias: config.attention_bias }),
          mlp: container('MLP', { up_proj: linear(width, inner, mlp_bias), down_proj: linear(inner, width, mlp_bias) }),
          input_layernorm: rmsNorm(width),
          post_attention_layernorm: rmsNorm(width),
        };
      },
      norm: rmsNorm,
    },
    { answers: 'transformer' },
  ),
});
