import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp, headDim } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 50304,
      hidden_size: 4096,
      intermediate_size: 11008,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: 1,
      tie_word_embeddings: false,
    }),
    head_dim: size().optional(),
    attention_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

function family(model_type: string, name: string) {
  return defineArchitecture({
    model_type,
    config,
    classes: decoderFamily<z.output<typeof config>>(
      name,
      {
        layer: (config) => ({
          self_attn: attention(config, {
            bias: config.attention_bias,
            norms: (heads) => rmsNorm(heads * headDim(config)),
          }),
          mlp: gatedMlp(config),
          post_attention_layernorm: rmsNorm(config.hidden_size),
          post_feedforward_layernorm: rmsNorm(config.hidden_size),
        }),
        norm: rmsNorm,
      },
      { tokens: false },
    ),
  });
}

/** OLMo 2 (OLMo Team 2025), initialized as Llama is: norms after each block, and norms over all queries and all keys. */
export const olmo2 = family('olmo2', 'Olmo2');

/** OLMo 3 (OLMo Team 2025): the tensors of OLMo 2; three of four layers see a window only. */
export const olmo3 = family('olmo3', 'Olmo3');
