import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, type Decoder, decoderClasses, gatedMlp, headDim } from './decoder.js';
import { qwen2Keys } from './qwen2.js';

/** What is read of config.json. */
export const qwen3Keys = {
  ...qwen2Keys,
  head_dim: size().default(128),
  attention_bias: flag().default(false),
};

const config = z
  .looseObject(qwen3Keys)
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Qwen3's layers. */
export const qwen3Parts: Decoder<z.output<typeof config>> = {
  layer: (config) => ({
    self_attn: attention(config, { bias: config.attention_bias, norms: () => rmsNorm(headDim(config)) }),
    mlp: gatedMlp(config),
    input_layernorm: rmsNorm(config.hidden_size),
    post_attention_layernorm: rmsNorm(config.hidden_size),
  }),
  norm: rmsNorm,
};

const { body, causalLm, sequences, tokens, answers } = decoderClasses(qwen3Parts);

/** Qwen3 (Yang et al. 2025), initialized as Llama is; queries and keys have norms of their own, one head wide. */
export const qwen3 = defineArchitecture({
  model_type: 'qwen3',
  config,
  classes: {
    Qwen3ForCausalLM: causalLm,
    Qwen3Model: body,
    Qwen3ForSequenceClassification: sequences,
    Qwen3ForTokenClassification: tokens,
    Qwen3ForQuestionAnswering: answers('transformer'),
  },
});
