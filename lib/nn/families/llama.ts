import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, headsRotate, paddingFits } from './architecture.js';
import { attention, decoderClasses, decoderKeys, gatedMlp } from './decoder.js';

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
    attention_bias: flag().default(false),
    mlp_bias: flag().default(false),
  })
  .refine(({ initializer_range: range }) => range <= 1, {
    path: ['initializer_range'],
    error: 'a number from 0 to 1, as its config class demands',
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .superRefine(headsRotate);

const { body, causalLm, sequences, tokens, answers } = decoderClasses<z.output<typeof config>>({
  layer: (config) => ({
    self_attn: attention(config, { bias: config.attention_bias }),
    mlp: gatedMlp(config, config.mlp_bias),
    input_layernorm: rmsNorm(config.hidden_size),
    post_attention_layernorm: rmsNorm(config.hidden_size),
  }),
  norm: rmsNorm,
});

/** Llama (Touvron et al. 2023): N(0, initializer_range²), norms 1, the padding's row 0; no scaling of residual projections. */
export const llama = defineArchitecture({
  model_type: 'llama',
  config,
  classes: {
    LlamaForCausalLM: causalLm,
    LlamaModel: body,
    LlamaForSequenceClassification: sequences,
    LlamaForTokenClassification: tokens,
    LlamaForQuestionAnswering: answers('transformer'),
  },
});
