import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, headsRotate, optionalSize, paddingFits, size } from './architecture.js';
import { attention, decoderClasses, decoderKeys, gatedMlp } from './decoder.js';

/** What is read of config.json, with the defaults that Qwen3 has too. */
export const qwen2Keys = {
  ...decoderKeys({
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    pad_token_id: null,
    tie_word_embeddings: false,
  }),
  num_key_value_heads: optionalSize().default(32),
};

const config = z
  .looseObject({
    ...qwen2Keys,
    head_dim: size().optional(),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

const { body, causalLm, sequences, tokens, answers } = decoderClasses<z.output<typeof config>>({
  layer: (config) => ({
    self_attn: attention(config, { bias: true, outputBias: false }),
    mlp: gatedMlp(config),
    input_layernorm: rmsNorm(config.hidden_size),
    post_attention_layernorm: rmsNorm(config.hidden_size),
  }),
  norm: rmsNorm,
});

/** Qwen2 (Yang et al. 2024), initialized as Llama is; queries, keys and values have biases, the projection back has none. */
export const qwen2 = defineArchitecture({
  model_type: 'qwen2',
  config,
  classes: {
    Qwen2ForCausalLM: causalLm,
    Qwen2Model: body,
    Qwen2ForSequenceClassification: sequences,
    Qwen2ForTokenClassification: tokens,
    Qwen2ForQuestionAnswering: answers('transformer'),
  },
});
