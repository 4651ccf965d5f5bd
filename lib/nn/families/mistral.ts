import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderClasses, decoderKeys, gatedMlp } from './decoder.js';

/** What is read of config.json, with the defaults that Mixtral has too. */
export const mistralKeys = {
  ...decoderKeys({
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    pad_token_id: null,
    tie_word_embeddings: false,
  }),
  num_key_value_heads: size().default(8),
};

const config = z
  .looseObject(mistralKeys)
  .refine(...paddingFits)
  .superRefine(headsRotate);

const { body, causalLm, sequences, tokens, answers } = decoderClasses<z.output<typeof config>>({
  layer: (config) => ({
    self_attn: attention(config),
    mlp: gatedMlp(config),
    input_layernorm: rmsNorm(config.hidden_size),
    post_attention_layernorm: rmsNorm(config.hidden_size),
  }),
  norm: rmsNorm,
});

/** Mistral (Jiang et al. 2023), initialized as Llama is. */
export const mistral = defineArchitecture({
  model_type: 'mistral',
  config,
  classes: {
    MistralForCausalLM: causalLm,
    MistralModel: body,
    MistralForSequenceClassification: sequences,
    MistralForTokenClassification: tokens,
    MistralForQuestionAnswering: answers('model'),
  },
});
