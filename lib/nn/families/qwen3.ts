import { z } from 'zod';
import { rms_norm } from '../modules.js';
import { define_architecture, flag, heads_rotate, padding_fits, size } from './architecture.js';
import { attention, decoder_classes, gated_mlp, head_dim } from './decoder.js';
import { qwen2_keys } from './qwen2.js';

const config = z
  .looseObject({
    ...qwen2_keys,
    head_dim: size().default(128),
    attention_bias: flag().default(false),
  })
  .refine(...padding_fits)
  .superRefine(heads_rotate);

const { body, causal_lm, sequences, tokens, answers } = decoder_classes<z.output<typeof config>>({
  layer: (config) => ({
    self_attn: attention(config, { bias: config.attention_bias, norms: () => rms_norm(head_dim(config)) }),
    mlp: gated_mlp(config),
    input_layernorm: rms_norm(config.hidden_size),
    post_attention_layernorm: rms_norm(config.hidden_size),
  }),
  norm: rms_norm,
});

/** Qwen3 (Yang et al. 2025), initialized as Llama is; queries and keys have norms of their own, one head wide. */
export const qwen3 = define_architecture({
  model_type: 'qwen3',
  config,
  classes: {
    Qwen3ForCausalLM: causal_lm,
    Qwen3Model: body,
    Qwen3ForSequenceClassification: sequences,
    Qwen3ForTokenClassification: tokens,
    Qwen3ForQuestionAnswering: answers('transformer'),
  },
});
